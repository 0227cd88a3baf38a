//! What stands between: proxies, and certificate authorities that this machine does not know.

use tidegate_origin::{Authority, Origin, Proxy, Reply};

use crate::run::Host;
use crate::server_process::ServerProcess;

const DOCUMENT: &str = r#"{"f": {"x": {"stable": 1}}}"#;

/// A host that goes through a proxy, and an origin behind it.
fn behind(variables: &[&str]) -> (Host, Origin, Proxy) {
    let (mut host, origin, proxy) = (Host::new(), Origin::start(), Proxy::start());
    origin.always(Reply::ok(DOCUMENT));
    for variable in variables {
        host.set(variable, &proxy.url());
    }
    (host, origin, proxy)
}

#[test]
fn the_variables_name_a_proxy() {
    for variable in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        let (host, origin, proxy) = behind(&[variable]);
        // The name exists nowhere: only the proxy has to know it.
        let url = origin.url_at("flags.invalid", "/flags.json");
        host.run(&format!("get {url} f x")).stdout("1\n").check();
        assert_eq!(proxy.asked(), [format!("GET {url} HTTP/1.1")], "{variable}");
    }
    let (mut host, origin, proxy) = behind(&["HTTP_PROXY"]);
    host.set("NO_PROXY", "other.example, 127.0.0.0/8");
    host.run(&format!("get {} f x", origin.url("/flags.json"))).stdout("1\n").check();
    assert_eq!(proxy.asked(), Vec::<String>::new());
}

#[test]
fn an_encrypted_document_comes_through_a_tunnel() {
    let authority = Authority::new();
    let (mut host, origin, proxy) = (Host::new(), Origin::start_tls(&authority, &["flags.invalid"]), Proxy::start());
    origin.always(Reply::ok(DOCUMENT));
    host.write("ca.pem", authority.pem());
    host.set("HTTPS_PROXY", &proxy.url());
    let url = origin.url_at("flags.invalid", "/flags.json");
    host.run(&format!("get {url} f x --cacert ca.pem")).stdout("1\n").check();
    let connect = format!("CONNECT flags.invalid:{} HTTP/1.1", origin.address().port());
    assert_eq!(proxy.asked(), [connect.as_str()]);
    // The certificate is the origin's, and so is the blame.
    let said = host.run(&format!("check {url}")).code(4).said();
    assert!(said.stderr.contains("self-signed or from an authority"), "{}", said.stderr);
    assert!(said.stderr.contains(&format!("(through the proxy `{}`)", proxy.url())), "{}", said.stderr);
}

#[test]
fn the_error_of_a_proxy_names_it() {
    let check = |host: &Host, line: &str, words: &[&str]| {
        let said = host.run(line).said();
        assert_eq!(said.code, 4, "{line}: {}", said.stderr);
        for word in words {
            assert!(said.stderr.contains(word), "{line}: `{word}` is not in: {}", said.stderr);
        }
        assert!(!said.stderr.contains("hush"), "{}", said.stderr);
    };
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut host = Host::new();
    host.set("HTTP_PROXY", &format!("http://user:hush@{unused}"));
    host.set("HTTPS_PROXY", &format!("http://user:hush@{unused}"));
    let proxy = format!("the proxy `http://{unused}`");
    for scheme in ["http", "https"] {
        check(&host, &format!("get {scheme}://flags.invalid/x f x"), &[&proxy, "cannot be used: connection refused"]);
        check(&host, &format!("get --server {scheme}://flags.invalid f/x"), &[&proxy, "refused", "help: HTTP_PROXY"]);
    }
    let mut host = Host::new();
    host.set("HTTP_PROXY", "http://proxy.invalid:3128");
    check(
        &host,
        "get http://flags.invalid/x f x",
        &["the proxy `http://proxy.invalid:3128`", "its name has no address"],
    );
    for (status, words) in [(407, "it wants a name and a password (407)"), (502, "answered 502")] {
        let (host, origin, proxy) = behind(&["HTTP_PROXY"]);
        proxy.refuse_with(status);
        check(&host, &format!("get {} f x", origin.url_at("flags.invalid", "/x")), &[words, &proxy.url()]);
    }
    let (host, _origin, proxy) = behind(&["HTTPS_PROXY"]);
    for (status, words) in [(407, "proxy authorization required"), (403, "tunnel")] {
        proxy.refuse_with(status);
        check(&host, "get https://flags.invalid/x f x", &[words, &proxy.url()]);
        check(&host, "get --server https://flags.invalid f/x", &[&proxy.url()]);
    }
    let mut host = Host::new();
    host.set("ALL_PROXY", "socks5://127.0.0.1:9050");
    check(&host, "get http://flags.invalid/x f x", &["`socks5://127.0.0.1:9050`", "`socks5` is not supported"]);
    let mut host = Host::new();
    host.set("HTTPS_PROXY", "http://user:hush@proxy:port");
    for line in ["get https://flags.invalid/x f x", "get --server https://flags.invalid f/x"] {
        let said = host.run(line).said();
        assert!(said.stderr.contains("the proxy in the variable HTTPS_PROXY is not an address"), "{}", said.stderr);
        assert!(!said.stderr.contains("hush") && said.code != 0, "{}", said.stderr);
    }
}

#[test]
fn a_local_server_is_asked_directly() {
    let (mut host, _origin, proxy) = behind(&["HTTP_PROXY", "ALL_PROXY"]);
    host.write("flags.json", DOCUMENT);
    let server = ServerProcess::start(&host, "--document flags.json");
    host.run(&format!("get --server {} f/x", server.url)).stdout("1\n").check();
    assert_eq!(proxy.asked(), Vec::<String>::new());
    // A server elsewhere is asked through it.
    host.set("NO_PROXY", "");
    let elsewhere = server.url.replace("127.0.0.1", "flags.invalid");
    host.run(&format!("get --server {elsewhere} f/x")).said();
    assert_eq!(proxy.asked().len(), 1);
}

#[test]
fn authorities_come_from_an_option_or_a_variable() {
    let authority = Authority::new();
    let mut host = Host::new();
    let origin = Origin::start_tls(&authority, &["127.0.0.1"]);
    origin.always(Reply::ok(DOCUMENT));
    let url = origin.url("/flags.json");
    let said = host.run(&format!("get {url} f x")).code(4).said();
    assert!(said.stderr.contains("self-signed or from an authority"), "{}", said.stderr);
    host.write("ca.pem", authority.pem());
    host.write("marked.pem", [b"\xef\xbb\xbf".as_slice(), &authority.pem()].concat());
    for file in ["ca.pem", "marked.pem"] {
        host.run(&format!("get {url} f x --cacert {file}")).stdout("1\n").check();
        host.run(&format!("check {url} --cacert {file}")).code(0).said();
    }
    for (file, words) in [("none.pem", "it does not exist"), (".", "is a folder")] {
        let said = host.run(&format!("get {url} f x --cacert {file}")).code(2).said();
        assert!(said.stderr.contains(words), "{}", said.stderr);
    }
    host.write("empty.pem", "");
    let server = ServerProcess::start(&host, &format!("--cacert ca.pem --document {url}"));
    host.run(&format!("get --server {} f/x", server.url)).stdout("1\n").check();
    let said = host.run(&format!("serve --listen 127.0.0.1:0 --cacert none.pem --document {url}")).code(2).said();
    assert!(said.stderr.contains("`cacert` is `none.pem` by the argument --cacert"), "{}", said.stderr);
    let said = host.run(&format!("get {url} f x --cacert empty.pem")).said();
    assert!(said.code != 0 && said.stderr.contains("no `BEGIN CERTIFICATE`"), "{}", said.stderr);
    host.set("SSL_CERT_FILE", host.path("ca.pem").to_str().unwrap());
    host.run(&format!("get {url} f x")).stdout("1\n").check();
    for (file, words) in [("none.pem", "does not exist"), (".", "is a folder"), ("empty.pem", "no `BEGIN CERTIFICATE`")]
    {
        host.set("SSL_CERT_FILE", file);
        let said = host.run(&format!("check {url}")).code(4).said();
        assert!(said.stderr.contains("SSL_CERT_FILE") && said.stderr.contains(words), "{file}: {}", said.stderr);
    }
}

#[test]
fn a_server_with_a_certificate_of_ones_own_authority() {
    let authority = Authority::new();
    let mut host = Host::new();
    let origin = Origin::start_tls(&authority, &["127.0.0.1"]);
    origin.always(Reply::ok(r#"{"flags": [], "digest": "0"}"#).header("Content-Type", "application/json"));
    let server = origin.url("");
    let said = host.run(&format!("flags --server {server} --format json")).code(4).said();
    assert!(said.stderr.contains("cannot reach the server at"), "{}", said.stderr);
    host.write("ca.pem", authority.pem());
    host.run(&format!("flags --server {server} --format json --cacert ca.pem")).check();
    host.set("SSL_CERT_FILE", host.path("ca.pem").to_str().unwrap());
    host.run(&format!("flags --server {server} --format json")).check();
    host.set("SSL_CERT_FILE", "none.pem");
    let said = host.run(&format!("flags --server {server} --format json")).code(4).said();
    assert!(said.stderr.contains("SSL_CERT_FILE"), "{}", said.stderr);
}

#[test]
fn a_proxy_that_is_no_address_is_wrong_usage() {
    let mut host = Host::new();
    host.set("HTTP_PROXY", "http://[bad");
    for line in [
        "list http://flags.invalid/x",
        "get http://flags.invalid/x f x",
        "flags --server http://flags.invalid",
        "serve --listen 127.0.0.1:0 --document http://flags.invalid/x",
    ] {
        let said = host.run(line).said();
        assert!(said.stderr.contains("the proxy in the variable HTTP_PROXY is not an address"), "{}", said.stderr);
        assert_eq!(said.code, 2, "tidegate {line}");
    }
}
