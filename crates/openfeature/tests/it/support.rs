//! A client of the SDK over an instance with a document.

use open_feature::{Client, EvaluationContext, OpenFeature};
use tidegate::{Builder, Clock, Tidegate, parse_time};
use tidegate_openfeature::TidegateProvider;

/// An instance whose clock stands at noon of 1 June 2026 and that sees nothing of this host.
pub(crate) fn builder() -> Builder {
    let clock = Clock::manual(parse_time("2026-06-01 12:00Z").unwrap());
    Tidegate::builder().clock(clock).without_locks().without_cache()
}

/// An API of its own, with a provider for all flags of the document.
pub(crate) async fn flags(document: &str) -> Client {
    client(TidegateProvider::new(builder().text(document).connect().unwrap())).await
}

pub(crate) async fn client(provider: TidegateProvider) -> Client {
    let mut api = OpenFeature::default();
    api.set_provider(provider).await;
    api.create_client()
}

pub(crate) fn key(key: &str) -> EvaluationContext {
    EvaluationContext::default().with_targeting_key(key)
}
