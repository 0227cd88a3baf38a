//! Chapter 2: the provider's name, its status, and its end.

use std::path::Path;
use std::time::{Duration, Instant};

use open_feature::provider::{FeatureProvider as _, ProviderStatus};
use open_feature::{EvaluationErrorCode as Code, OpenFeature};
use tidegate::{FlagKey, Tidegate};
use tidegate_openfeature::{PROVIDER_NAME, TidegateProvider};

use crate::support::{builder, client};

/// 2.1.1, 1.1.5, 1.2.2: the provider has a name, and so has a client.
#[tokio::test]
async fn provider_and_client_have_names() {
    let mut api = OpenFeature::default();
    api.set_provider(TidegateProvider::new(builder().text("{}").connect().unwrap())).await;
    assert_eq!(api.provider_metadata().await.name, PROVIDER_NAME);
    assert_eq!(api.create_named_client("shop").metadata().name, "shop");
}

/// A provider for one section knows its flags by their bare names, also those with a `/`, and no others.
#[tokio::test]
async fn a_section_has_bare_names() {
    let text = r#"{"shop": {"x": {"stable": 1}, "a/b": {"stable": 2}}, "flags": {"y": {"stable": 3}}}"#;
    let tide = builder().text(text).connect().unwrap();
    let flags = client(TidegateProvider::section(tide.clone(), "shop")).await;
    assert_eq!(flags.get_int_value("x", None, None).await, Ok(1));
    assert_eq!(flags.get_int_value("a/b", None, None).await, Ok(2));
    for name in ["y", "shop/x", "flags/y"] {
        assert_eq!(flags.get_int_value(name, None, None).await.unwrap_err().code, Code::FlagNotFound, "{name}");
    }
    let flags = client(TidegateProvider::new(tide)).await;
    assert_eq!(flags.get_int_value("shop/x", None, None).await, Ok(1));
    assert_eq!(flags.get_int_value("y", None, None).await, Ok(3));
}

/// Replaces a file by renaming, so that no reader sees half of it.
fn publish(path: &Path, text: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(&new, path).unwrap();
}

/// Waits until the provider has this status; the file is looked at by a thread of the library.
fn wait_for(provider: &TidegateProvider, status: &ProviderStatus) {
    let end = Instant::now() + Duration::from_secs(20);
    while provider.status() != *status {
        assert!(Instant::now() < end, "it is {:?}, not {status:?}", provider.status());
        std::thread::yield_now();
    }
}

/// 1.7.6, 2.4.2, 2.4.5: not ready until there is a document; stale while the source is gone or has a bad one.
#[tokio::test]
async fn the_status_follows_the_source() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flags.json");
    let tide = Tidegate::builder().without_locks().without_cache().file(&path).poll_interval(POLL);
    let tide = tide.startup_wait(Duration::ZERO).connect().unwrap();
    let provider = TidegateProvider::new(tide);
    let flags = client(provider.clone()).await;
    assert_eq!(provider.status(), ProviderStatus::NotReady);
    let error = flags.get_int_value("x", None, None).await.unwrap_err();
    assert_eq!(error.code, Code::ProviderNotReady);
    assert!(error.message.unwrap().starts_with("flag x not found yet: a source has not given its first document"));

    publish(&path, r#"{"flags": {"x": {"stable": 1}}}"#);
    wait_for(&provider, &ProviderStatus::Ready);
    assert_eq!(flags.get_int_value("x", None, None).await, Ok(1));
    assert_eq!(flags.get_int_value("y", None, None).await.unwrap_err().code, Code::FlagNotFound);

    publish(&path, "no document");
    wait_for(&provider, &ProviderStatus::STALE);
    assert_eq!(flags.get_int_value("x", None, None).await, Ok(1), "the last good document stays active");
    publish(&path, r#"{"flags": {"x": {"stable": 2}}}"#);
    wait_for(&provider, &ProviderStatus::Ready);
    assert_eq!(flags.get_int_value("x", None, None).await, Ok(2), "a change reaches the SDK");
    std::fs::remove_file(&path).unwrap();
    wait_for(&provider, &ProviderStatus::STALE);
    assert_eq!(flags.get_int_value("x", None, None).await, Ok(2));
}

/// Reads without an answer are counted where the library counts its own.
#[tokio::test]
async fn misreads_are_counted_in_the_status() {
    let text = r#"{"flags": {"rows": {"stable": 1}, "off": {"stable": 1, "enabled": false}}}"#;
    let tide = builder().text(text).connect().unwrap();
    let flags = client(TidegateProvider::new(tide.clone())).await;
    assert_eq!(flags.get_int_value("rows", None, None).await, Ok(1));
    assert!(flags.get_int_value("off", None, None).await.is_err());
    assert_eq!(tide.status().unknown_flags.count, 0, "a disabled flag is no mistake of the program");
    assert!(flags.get_int_value("row", None, None).await.is_err());
    assert!(flags.get_float_value("rows", None, None).await.is_err());
    let status = tide.status();
    assert_eq!((status.unknown_flags.count, status.unknown_flags.flags), (1, vec![FlagKey::parse("row")]));
    assert_eq!((status.type_errors.count, status.type_errors.flags), (1, vec![FlagKey::parse("rows")]));
}

/// 1.6.1, 2.5.1: the end of the API is the end of the instance, if the program has kept no handle.
#[tokio::test]
async fn the_end_of_the_api_ends_the_instance() {
    let tide = builder().text("{}").connect().unwrap();
    let weak = tide.downgrade();
    let mut api = OpenFeature::default();
    api.set_provider(TidegateProvider::new(tide)).await;
    assert!(weak.upgrade().is_some());
    api.shutdown().await;
    assert!(weak.upgrade().is_none());
}

const POLL: Duration = Duration::from_millis(50);
