//! The Rust SDK with its OFREP provider: single evaluation, keys raw in the path. This provider reads values and variants only.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use open_feature::{EvaluationContext, EvaluationErrorCode, OpenFeature, StructValue};
use open_feature_ofrep::{OfrepOptions, OfrepProvider};

/// A `tidegate serve` on a port of its own.
struct Server {
    process: Child,
    url: String,
}

impl Server {
    fn start() -> Self {
        let program = std::env::var_os("TIDEGATE_PROGRAM").expect("`cargo xtask clients` says where the program is");
        let document = concat!(env!("CARGO_MANIFEST_DIR"), "/../flags.json");
        let mut command = Command::new(program);
        command.args(["serve", "--listen", "127.0.0.1:0", "--document", document]);
        let mut process = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
        let url = lines.find_map(|line| line.strip_prefix("listening on ").map(str::to_owned)).expect("it listens");
        // What it says from now on must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, url }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The value of one member, as a whole number.
#[derive(Debug, PartialEq)]
struct Columns(usize);

impl From<StructValue> for Columns {
    fn from(value: StructValue) -> Self {
        Self(value.fields.get("columns").and_then(|columns| columns.as_array()).map_or(0, Vec::len))
    }
}

async fn client(server: &Server, base: &str) -> open_feature::Client {
    let options = OfrepOptions { base_url: format!("{}{base}", server.url), ..OfrepOptions::default() };
    let provider = OfrepProvider::new(options).await.unwrap();
    let mut api = OpenFeature::singleton_mut().await;
    api.set_provider(provider).await;
    api.create_client()
}

/// One test, because the SDK has one provider for the whole process.
#[tokio::test]
async fn values_variants_names_and_failures() {
    let server = Server::start();
    let flags = client(&server, "").await;
    let bob = EvaluationContext::default().with_targeting_key("bob").with_custom_field("plan", "premium");
    let ann = EvaluationContext::default().with_targeting_key("ann");

    assert_eq!(flags.get_bool_value("dark", Some(&bob), None).await, Ok(false));
    let dark = flags.get_bool_details("dark", Some(&ann), None).await.unwrap();
    assert_eq!((dark.value, dark.variant.as_deref()), (true, Some("new")));
    assert_eq!(flags.get_string_value("title", None, None).await.as_deref(), Ok("Shop"));
    assert_eq!(flags.get_int_value("count", Some(&bob), None).await, Ok(3));
    assert_eq!(flags.get_float_value("factor", Some(&bob), None).await, Ok(3.0));
    let columns = flags.get_struct_value::<Columns>("layout", Some(&bob), None).await.unwrap();
    assert_eq!(columns, Columns(2));
    assert_eq!(flags.get_string_value("team/checkout", None, None).await.as_deref(), Ok("old"));

    for (flag, context, code) in [
        ("nowhere", &bob, EvaluationErrorCode::FlagNotFound),
        // Without a key; this provider calls each 400 an invalid context.
        ("half", &EvaluationContext::default(), EvaluationErrorCode::InvalidContext),
        ("list", &bob, EvaluationErrorCode::InvalidContext),
        // A disabled flag has no value; this provider knows no default.
        ("off", &bob, EvaluationErrorCode::ParseError),
    ] {
        let error = flags.get_bool_details(flag, Some(context), None).await.unwrap_err();
        assert_eq!(error.code, code, "{flag}");
    }

    for (base, flag) in [("/", "team/checkout"), ("/sections/team", "checkout"), ("/sections/team/", "checkout")] {
        let flags = client(&server, base).await;
        assert_eq!(flags.get_string_value(flag, None, None).await.as_deref(), Ok("old"), "{base}");
    }
}
