//! A provider for the OpenFeature SDK (crate `open-feature` 0.3): flags decided in the process, from the memory of [`tidegate`].
//!
//! A program that is written against OpenFeature's API names Tidegate once, where it registers the provider. Every evaluation
//! then reads memory: there is no server to ask and no network in the request.
//!
//! ```toml
//! [dependencies]
//! open-feature = "0.3"
//! # Checkouts beside your program; the crates are not on crates.io yet.
//! tidegate = { path = "../tidegate/crates/tidegate" }
//! tidegate-openfeature = { path = "../tidegate/crates/openfeature" }
//! ```
//!
//! ```
//! use open_feature::{EvaluationContext, OpenFeature};
//! use tidegate::Tidegate;
//! use tidegate_openfeature::TidegateProvider;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A service would say `.http("https://…")?`, or `.file(path)`.
//! let tide = Tidegate::builder()
//!     .text(r#"{"shop": {"new_cart": {"stable": false, "new": true, "rules": [
//!         {"name": "staff", "when": {"attribute": "team", "is": "shop"}, "serve": "new"}]}}}"#)
//!     .without_locks()
//!     .connect()?;
//! let mut api = OpenFeature::singleton_mut().await;
//! api.set_provider(TidegateProvider::new(tide)).await;
//!
//! // From here on there is only OpenFeature.
//! let flags = api.create_client();
//! let user = EvaluationContext::default().with_targeting_key("user-17").with_custom_field("team", "shop");
//! assert!(flags.get_bool_value("shop/new_cart", Some(&user), None).await.unwrap_or(false));
//! # Ok(())
//! # }
//! ```
//!
//! # Names
//!
//! The name that a program asks for is the flag key, `section/flag`; a name without `/` is a flag of the section `flags`. A
//! provider made with [`TidegateProvider::section`] knows the flags of one section by their bare names.
//!
//! # What a decision says
//!
//! | field | is |
//! | --- | --- |
//! | value | typed as the document types it: `3` is an integer, `3.0` a float, and nothing is converted. A flag with a float among its values has floats only |
//! | variant | the name of one of the flag's `variants`; for a flag without, `stable`, `new` or `interpolated`; `locked` for the value of a lock on this host |
//! | reason | `STATIC`: the same for everyone. `TARGETING_MATCH`: an early adopter, a rule that holds, or an interpolated number. `SPLIT`: by the key's position. `DEFAULT`: the flag has rules or early adopters, none of them concerns this context, and it has neither a ramp nor a split |
//! | flag metadata | the entry's `metadata` |
//!
//! # Errors
//!
//! The SDK hands an error to the program, which takes its own default with `unwrap_or`.
//!
//! | code | when |
//! | --- | --- |
//! | [`FlagNotFound`](open_feature::EvaluationErrorCode::FlagNotFound) | no document has the flag; the message suggests a similar name |
//! | [`ProviderNotReady`](open_feature::EvaluationErrorCode::ProviderNotReady) | the same, while a source has not given its first document |
//! | [`TypeMismatch`](open_feature::EvaluationErrorCode::TypeMismatch) | the value has another type, or one that OpenFeature cannot carry (a list or `null` as the whole value, `null` in a list) |
//! | [`TargetingKeyMissing`](open_feature::EvaluationErrorCode::TargetingKeyMissing) | the answer depends on a key, and the context has none or an empty one |
//! | [`General`](open_feature::EvaluationErrorCode::General) with the text `DISABLED` | the flag is disabled, so the default of the program applies. The SDK has no way for a provider to say so in a decision |
//!
//! Such reads are counted in the [`Status`](tidegate::Status) of the instance, as its own reads are.
//!
//! # Attributes
//!
//! The fields of the evaluation context are the attributes that rules read. They are lent to the engine as they are; no JSON is
//! made of them. A flag without rules does not look at them.
//!
//! | field | attribute |
//! | --- | --- |
//! | boolean, integer, float, string | the same |
//! | date and time | a text in RFC 3339, so that `lt` to `gte` compare it as a time |
//! | [`StructValue`](open_feature::StructValue), given to `EvaluationContextFieldValue::new_struct` | an object, whose members rules reach by a dotted name |
//! | [`Value`](open_feature::Value), `Vec<Value>` or `Vec<String>`, given in the same way | the value; a list, for `contains` |
//! | a struct of any other type | absent |
//!
//! # Status, events, hooks
//!
//! The status is `NotReady` until each source has given a document, `STALE` while a source does not answer or its new document
//! is refused (the last good one stays active), and otherwise `Ready`. The SDK has no events yet: subscribe to changes with
//! [`Tidegate::subscribe`](tidegate::Tidegate::subscribe) of the same instance. The provider has no hooks of its own, and runs
//! beside those of the program. Dropping the last handle ends the background threads, and `OpenFeature::shutdown` drops the
//! provider.

#![warn(missing_docs)]

mod attributes;
mod provider;
mod resolution;
mod value;

pub use provider::{PROVIDER_NAME, TidegateProvider};

#[cfg(doctest)]
#[doc = include_str!("../../../docs/guide/openfeature.md")]
struct Guide;
