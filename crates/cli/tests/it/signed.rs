//! `--trusted-key` and `--environment`: only what is signed for us is taken, here and by `check`.

use serde_json::json;

use crate::run::Host;

macro_rules! data {
    ($name:literal) => {
        include_str!(concat!("../../../tidegate/tests/signed/", $name))
    };
}

const V45: (&str, &str) = (data!("v45.json"), data!("v45.json.minisig"));

fn host((body, signature): (&str, &str)) -> Host {
    let host = Host::with(body);
    host.write("flags.json.minisig", signature);
    host.write("flags.pub", data!("only-for-tests-first.pub"));
    host.write("second.pub", data!("only-for-tests-second.pub"));
    host
}

const GET: &str = "get flags.json features version --key anybody --trusted-key flags.pub --environment test";
const CHECK: &str = "check flags.json --trusted-key second.pub --trusted-key flags.pub --environment test";

#[test]
fn what_is_signed_for_us_is_taken() {
    let host = host(V45);
    host.run(GET).stdout("45\n").check();
    host.run(GET).words("--trusted-key second.pub").stdout("45\n").check();
    host.run(CHECK).stdout("flags.json: no problems, signed by 693CD58250E526BE\n").check();
    let said = host.run(CHECK).words("--format json").said();
    assert_eq!(said.json()[0]["signed_by"], json!("693CD58250E526BE"));
    assert_eq!(said.json()[0].get("refused"), None);
}

#[test]
fn whatever_else_comes_is_refused() {
    for (body, signature, why) in [
        (V45.0, "", "the signature is not one of minisign; make it with `minisign -S`"),
        (data!("v44.json"), V45.1, "the signature by key 693CD58250E526BE is not of this document"),
        (data!("v43-nowhere.json"), data!("v43-nowhere.json.minisig"), "the document is for no environment"),
        (data!("v46-over.json"), data!("v46-over.json.minisig"), "the document expired at 2000-01-01T00:00:00.000000Z"),
    ] {
        let host = host((body, signature));
        let said = host.run(GET).said();
        assert_eq!((said.stdout.as_str(), said.code), ("", 5), "{why}");
        let expected = format!("error: the document from `flags.json` is refused: {why}");
        assert!(said.stderr.starts_with(&expected), "{}", said.stderr);
        let said = host.run(CHECK).said();
        assert_eq!((said.stderr.as_str(), said.code), ("", 1), "{why}");
        assert!(said.stdout.starts_with(&format!("flags.json: no problems, but readers refuse it: {why}")));
        let said = host.run(CHECK).words("--format json").said();
        assert!(said.json()[0]["refused"].as_str().unwrap().starts_with(why));
    }
    let host = host(V45);
    let said = host.run(&GET.replace("flags.json", "-")).stdin(V45.0).said();
    assert!(said.code == 5 && said.stderr.contains("is not signed"), "{}", said.stderr);
}

#[test]
fn an_older_version_is_refused_in_the_next_run_as_well() {
    let host = host(V45);
    host.run(GET).stdout("45\n").check();
    host.write("flags.json.minisig", data!("v41.json.minisig"));
    host.write("flags.json", data!("v41.json"));
    let said = host.run(GET).said();
    assert!(said.code == 5 && said.stderr.contains("has version 41, but 45 was seen"), "{}", said.stderr);
}

#[test]
fn a_key_that_is_none_is_wrong_usage() {
    let host = host(V45);
    for (file, why) in [("flags.json", "no public key of minisign"), ("nowhere.pub", "it does not exist")] {
        let said = host.run("get flags.json features version --key anybody --trusted-key").word(file).said();
        assert_eq!((said.stdout.as_str(), said.code), ("", 2), "{}", said.stderr);
        assert!(said.stderr.starts_with(&format!("error: cannot use the key in `{file}`: ")), "{}", said.stderr);
        assert!(said.stderr.contains(why), "{}", said.stderr);
    }
}
