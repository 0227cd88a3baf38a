//! The parameters that several operations have in common. Only their schemas are used: `api::ask` reads requests.

use utoipa::{IntoParams, ToSchema};

/// The flag in the path.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only their schema is used")]
pub(crate) struct FlagNames {
    /// The section, percent-encoded.
    #[param(value_type = crate::openapi::schemas::Name, example = "shop")]
    section: String,
    /// The name of the flag in its section, percent-encoded.
    #[param(value_type = crate::openapi::schemas::Name, example = "banner")]
    flag: String,
}

/// How a change is acknowledged.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only their schema is used")]
pub(crate) struct Acknowledgement {
    /// Which members have to acknowledge the change: this node, one other, a majority, or all.
    #[param(inline, example = "majority")]
    ack: Option<AckLevel>,
    /// How long the acknowledgement is waited for, a duration up to a minute; 500 ms by default.
    #[param(example = "500ms", pattern = r"^[0-9]{1,4}ms$|^[0-9]s$")]
    timeout: Option<String>,
}

/// An acknowledgement level; `majority` by default.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "only their schema is used")]
pub(crate) enum AckLevel {
    Local,
    One,
    Majority,
    All,
}

/// Why a change is made.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only their schema is used")]
pub(crate) struct Reason {
    /// Why the change is made, for the history: 1,024 bytes of UTF-8 at most.
    #[param(example = "ticket 4711", max_length = 1024)]
    reason: Option<String>,
}

/// Who makes a change.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only their schema is used")]
pub(crate) struct Actor {
    /// Who makes the change, for the history: 1,024 bytes of UTF-8 at most. The server does not verify it.
    #[param(rename = "X-Tidegate-Actor", example = "dana", max_length = 1024, pattern = "^[ -~]*$")]
    actor: Option<String>,
}

/// What a change must find.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only their schema is used")]
pub(crate) struct Preconditions {
    /// The `ETag` of the flag: the change is made only if neither its activation nor its definition has changed since.
    #[param(rename = "If-Match", pattern = r#"^(\*|((W/)?"[!#-+\--~]*"|[, ])*)$"#)]
    if_match: Option<String>,
    /// `*`: the change is made only if there is no such activation or definition.
    #[param(rename = "If-None-Match", pattern = r#"^(\*|((W/)?"[!#-+\--~]*"|[, ])*)$"#)]
    if_none_match: Option<String>,
}

/// The subject of a decision.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only their schema is used")]
pub(crate) struct SubjectOf {
    /// The key, such as a user id or a host name.
    #[param(example = "ann")]
    key: Option<String>,
    /// The attributes of the subject: a JSON object.
    #[param(example = r#"{"plan": "premium"}"#, pattern = r#"^\{("[a-z]{1,8}": ?("[a-z]{0,8}"|[1-9][0-9]{0,3}))?\}$"#)]
    attributes: Option<String>,
}
