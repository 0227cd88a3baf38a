//! What a flag answers: the value, which variant it is, and why.

use std::borrow::Cow;
use std::fmt;

use crate::scalar::{Scalar, StoredValue, unquote};
use crate::{NamedValue, ScalarKind, Variant};

/// The answer of a flag for one subject at one instant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decision<'s> {
    /// The value.
    pub answer: Answer<'s>,
    /// Which of the flag's values it is; `None` for the caller's default and for a value locked on this host. Reports show
    /// [`Self::variant_name`].
    pub variant: Option<Variant>,
    /// Why the flag has this value.
    pub reason: Reason,
    /// What was wrong with the call, if anything was.
    pub error: Option<ErrorCode>,
}

impl<'s> Decision<'s> {
    /// The name of the variant: that of one of the flag's `variants`; for a flag without, `stable`, `new` or `interpolated`.
    /// `None` for the caller's default and for a value locked on this host.
    ///
    /// ```
    /// use tidegate_engine::lease::Clocks;
    /// use tidegate_engine::{CompileOptions, Micros, Moment, Subject, compile, read};
    ///
    /// let text = br##"{"shop": {"button": {"variants": {"red": "#f00", "blue": "#00f"}, "stable": "red"}}}"##;
    /// let snapshot = compile(&read(text).unwrap().0, &CompileOptions::default());
    /// let moment = Moment { now: Micros::new(0), leases: &Clocks::synced() };
    /// let decision = snapshot.evaluate(snapshot.find("shop", "button"), &Subject::key("ann"), &moment);
    /// assert_eq!((decision.variant_name(), decision.answer.as_text()), (Some("red"), Some("#f00")));
    /// ```
    pub fn variant_name(&self) -> Option<&'s str> {
        match self.answer {
            Answer::Named(named) => Some(named.name()),
            _ => self.variant.map(Variant::as_str),
        }
    }
}

/// A value, borrowed from the snapshot or computed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answer<'s> {
    /// The caller's own default: the flag is unknown or disabled.
    CallerDefault,
    /// A boolean, which is what most flags are.
    Bool(bool),
    /// Any other value of the flag.
    Stored(&'s StoredValue),
    /// One of the flag's named variants, of any type.
    Named(&'s NamedValue),
    /// A value locked on this host that is no boolean: compact JSON text, with the spelling of its numbers.
    Json(&'s str),
    /// An interpolated integer: both ends are integers.
    Integer(i128),
    /// An interpolated number; finite.
    Float(f64),
}

impl<'s> Answer<'s> {
    /// A value from its compact JSON text.
    pub(crate) fn from_json(text: &'s str) -> Self {
        match text {
            "false" => Self::Bool(false),
            "true" => Self::Bool(true),
            text => Self::Json(text),
        }
    }

    /// The value as JSON text; `None` for the caller's default.
    pub fn to_json(self) -> Option<Cow<'s, str>> {
        match self {
            Self::CallerDefault => None,
            Self::Bool(value) => Some(Cow::Borrowed(if value { "true" } else { "false" })),
            Self::Stored(value) => Some(Cow::Borrowed(value.as_json())),
            Self::Named(named) => Some(Cow::Borrowed(named.value().as_json())),
            Self::Json(text) => Some(Cow::Borrowed(text)),
            Self::Integer(integer) => Some(Cow::Owned(integer.to_string())),
            Self::Float(float) => Some(Cow::Owned(float_to_json(float))),
        }
    }

    /// The value as a boolean; `None` for any other type.
    #[inline]
    pub fn as_bool(self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(value),
            Self::Named(named) => named.value().scalar().as_bool(),
            _ => None,
        }
    }

    /// The number or the boolean, or which other kind of JSON the value is; `None` for the caller's default.
    ///
    /// ```
    /// use tidegate_engine::Answer;
    ///
    /// assert_eq!(Answer::Json("1.5").scalar().and_then(|scalar| scalar.as_f64()), Some(1.5));
    /// assert_eq!(Answer::CallerDefault.scalar(), None);
    /// ```
    #[inline]
    pub fn scalar(self) -> Option<Scalar> {
        match self {
            Self::CallerDefault => None,
            Self::Bool(value) => Some(Scalar::from(value)),
            Self::Stored(value) => Some(value.scalar()),
            Self::Named(named) => Some(named.value().scalar()),
            Self::Json(_) | Self::Integer(_) | Self::Float(_) => Some(self.rare_scalar()),
        }
    }

    #[cold]
    fn rare_scalar(self) -> Scalar {
        match self {
            Self::Json(json) => Scalar::from_json(json),
            Self::Integer(integer) => Scalar::from_integer(integer),
            Self::Float(float) => Scalar::from(float),
            Self::CallerDefault | Self::Bool(_) | Self::Stored(_) | Self::Named(_) => Scalar::from_json("null"),
        }
    }

    /// The text, if the value is one that is written without escapes, so that it can be borrowed.
    ///
    /// ```
    /// use tidegate_engine::Answer;
    ///
    /// assert_eq!(Answer::Json(r#""Hello""#).as_text(), Some("Hello"));
    /// assert_eq!(Answer::Json(r#""a\nb""#).as_text(), None);
    /// ```
    #[inline]
    pub fn as_text(self) -> Option<&'s str> {
        match self {
            Self::Stored(value) => value.as_text(),
            Self::Named(named) => named.value().as_text(),
            Self::Json(json) if Scalar::from_json(json).kind() == ScalarKind::Text => unquote(json),
            _ => None,
        }
    }
}

/// A finite float as JSON that reads back as the same float, and as a float: `3.0`, never `3`.
fn float_to_json(float: f64) -> String {
    serde_json::Number::from_f64(float).map_or_else(|| "null".to_owned(), |number| number.to_string())
}

/// Why a flag has this value: OpenFeature's `reason` (specification, "resolution details").
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Reason {
    /// Neither the key nor the time matters: a lock, an activation for 0 or 100 %, an entry without `new` or a window.
    Static,
    /// The key is an early adopter, the condition of a rule holds, or the value is a number interpolated at this instant.
    TargetingMatch,
    /// The key's position was compared with the share.
    Split,
    /// The flag is disabled.
    Disabled,
    /// The flag could not be evaluated as asked; see the error code.
    Error,
}

impl Reason {
    /// The spelling in OpenFeature and OFREP.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Static => "STATIC",
            Self::TargetingMatch => "TARGETING_MATCH",
            Self::Split => "SPLIT",
            Self::Disabled => "DISABLED",
            Self::Error => "ERROR",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// The rule that decided.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Rule {
    /// A lock of this host.
    HostLock,
    /// No such flag: the caller's default.
    UnknownFlag,
    /// An operator's activation.
    Activation,
    /// A lock in the document.
    DocumentLock,
    /// The flag is disabled: the caller's default.
    Disabled,
    /// The entry has no `new`: everyone has `stable`.
    NoNew,
    /// The key is an early adopter.
    EarlyAdopter,
    /// The condition of one of the flag's rules holds.
    Targeting,
    /// A number between the two values, the same for everyone.
    Interpolation,
    /// The key's position was compared with the share of the ramp.
    Ramp,
    /// The key's position was compared with the share of a rollback that has begun.
    Rollback,
    /// The answer depends on a key and none was given.
    KeyMissing,
}

impl Rule {
    /// The word in explanations and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HostLock => "host_lock",
            Self::UnknownFlag => "unknown_flag",
            Self::Activation => "activation",
            Self::DocumentLock => "document_lock",
            Self::Disabled => "disabled",
            Self::NoNew => "no_new",
            Self::EarlyAdopter => "early_adopter",
            Self::Targeting => "targeting",
            Self::Interpolation => "interpolation",
            Self::Ramp => "ramp",
            Self::Rollback => "rollback",
            Self::KeyMissing => "key_missing",
        }
    }
}

/// What was wrong with a call: OpenFeature's `error code` (specification, "error code").
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ErrorCode {
    /// No such flag in the snapshot.
    FlagNotFound,
    /// The answer depends on a key and none was given.
    TargetingKeyMissing,
    /// The value is of another type than the one asked for.
    TypeMismatch,
}

impl ErrorCode {
    /// The spelling in OpenFeature and OFREP.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FlagNotFound => "FLAG_NOT_FOUND",
            Self::TargetingKeyMissing => "TARGETING_KEY_MISSING",
            Self::TypeMismatch => "TYPE_MISMATCH",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}
