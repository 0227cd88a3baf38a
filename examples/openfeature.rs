//! A service that uses only OpenFeature's API: Tidegate is named once, where its provider is registered.
//!
//!     cargo run -p tidegate-openfeature --example openfeature
//!
//! The document is a text here, so that the example runs by itself; a service would say `.http("https://…")?`.

use open_feature::{Client, EvaluationContext, OpenFeature};

/// What the service keeps for its whole life: a client of OpenFeature, whatever the provider behind it is.
struct Service {
    flags: Client,
}

impl Service {
    /// One request. The user is known by a key, and by what the service knows besides.
    async fn answer(&self, user: &str, plan: &str) -> String {
        let user = EvaluationContext::default().with_targeting_key(user).with_custom_field("plan", plan);
        let is_fast = self.flags.get_bool_value("search/fast", Some(&user), None).await.unwrap_or(false);
        let results = self.flags.get_int_value("search/results", Some(&user), None).await.unwrap_or(10);
        let engine = if is_fast { "fast" } else { "proven" };
        format!("{results} results from the {engine} search")
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    register_provider().await?;
    let service = Service { flags: OpenFeature::singleton().await.create_client() };

    say(&format!("premium: {}", service.answer("user-1", "premium").await));
    let mut fast = 0;
    for number in 0..1_000 {
        let answer = service.answer(&format!("user-{number}"), "free").await;
        fast += u32::from(answer.contains("fast"));
    }
    say(&format!("free: {fast} of 1000 users have the fast search"));

    let details = service.flags.get_int_details("search/results", None, None).await.map_err(|error| error.code)?;
    say(&format!("results: {}, variant {:?}, reason {:?}", details.value, details.variant, details.reason));
    // A flag that no document has is an error, and the service takes its own default.
    let banner = service.flags.get_string_value("search/banner", None, None).await;
    say(&format!("banner: {:?}", banner.unwrap_or_else(|_| "none".to_owned())));

    // Dropping the provider ends its background threads.
    OpenFeature::singleton_mut().await.shutdown().await;
    Ok(())
}

/// The only place that knows where flags come from.
async fn register_provider() -> Result<(), Box<dyn std::error::Error>> {
    let tide = tidegate::Tidegate::builder().text(DOCUMENT).without_locks().connect_async().await?;
    let provider = tidegate_openfeature::TidegateProvider::new(tide);
    OpenFeature::singleton_mut().await.set_provider(provider).await;
    Ok(())
}

#[expect(clippy::print_stdout, reason = "an example talks to the terminal")]
fn say(line: &str) {
    println!("{line}");
}

const DOCUMENT: &str = r#"{"search": {
    "fast": {"stable": false, "new": true, "salt": "search", "start_time": "2020-01-01 00:00Z", "duration": "0s", "end_pct": 10,
        "rules": [{"name": "premium", "when": {"attribute": "plan", "is": "premium"}, "serve": "new"}]},
    "results": {"stable": 20, "metadata": {"team": "search"}}
}}"#;
