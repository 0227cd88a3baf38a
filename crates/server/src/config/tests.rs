use super::*;

fn read(file: &str, variables: &[(&str, &str)], arguments: &Arguments) -> Result<Config, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tidegate.toml");
    std::fs::write(&path, file).unwrap();
    let variable =
        |name: &'static str| variables.iter().find(|(found, _)| *found == name).map(|(_, value)| (*value).to_owned());
    Config::read(Some(&path), variable, arguments)
}

#[test]
fn later_places_count_for_more_and_each_value_knows_its_own() {
    let file =
        "# ours\nlisten = \"127.0.0.1:1\"\nname = \"one\"\ndocuments = [\"a.json\", \"https://u:p@x/y.json?k=1\"]\n";
    let arguments = Arguments { listen: Some("[::1]:3".to_owned()), cluster_insecure: true, ..Arguments::default() };
    let variables = [
        ("TIDEGATE_LISTEN", "127.0.0.1:2"),
        ("TIDEGATE_PEERS", "a:1, [::1]:2"),
        ("TIDEGATE_NAME", ""),
        ("TIDEGATE_CLUSTER", "c"),
    ];
    let config = read(file, &variables, &arguments).unwrap();
    assert_eq!(config.listen.value, "[::1]:3".parse().unwrap());
    assert_eq!(config.listen.origin, Origin::Argument("--listen"));
    assert_eq!(config.peers.value, ["a:1", "[::1]:2"]);
    assert_eq!(config.cluster.origin, Origin::Environment("TIDEGATE_CLUSTER"));
    assert_eq!(config.name.value.as_deref(), Some("one"));
    assert!(matches!(&config.name.origin, Origin::File { line: 3, .. }), "{:?}", config.name.origin);
    assert!(config.cluster_insecure.value && !config.listen_unprotected.value);
    assert_eq!(config.data_dir, Setting { value: None, origin: Origin::Default });
    assert!(config.documents.value[0].ends_with("/a.json"), "from the file's folder: {:?}", config.documents.value);
    let lines = config.lines();
    assert_eq!(lines.len(), Key::ALL.len());
    let documents = &lines.iter().find(|(key, ..)| *key == Key::Documents).unwrap().1;
    assert!(documents.ends_with(", https://x/y.json"), "{documents}");
    assert!(config.builder().is_ok());
    let config = read("max_drift = \"750ms\"", &[], &Arguments::default()).unwrap();
    assert_eq!(config.max_drift.value, Some(Duration::from_millis(750)));
    assert_eq!(config.cors_origins.value, ["*"]);
    let config = read("", &[("TIDEGATE_CORS_ORIGINS", "https://a.example, http://b:3000")], &Arguments::default());
    assert_eq!(config.unwrap().cors_origins.value, ["https://a.example", "http://b:3000"]);
    assert!(read("cors_origins = []", &[], &Arguments::default()).unwrap().cors_origins.value.is_empty());
    let connections = |file: &str| read(file, &[], &Arguments::default()).map(|config| config.connections_max.value);
    assert_eq!(connections("connections_max = 100").unwrap(), 100);
    assert_eq!(connections("connections_max = \"20000\"").unwrap(), 20_000);
    assert_eq!(connections("").unwrap(), limits::CONNECTIONS_MAX);
    let bare = Config::read(None, |_| None, &Arguments::default()).unwrap();
    assert!(bare.builder().is_ok());
    assert_eq!((bare.listen.value, bare.listen.origin), (LOCAL, Origin::Default));
}

#[test]
fn errors_name_place_key_and_remedy() {
    let check = |file: &str, variables: &[(&str, &str)], words: &[&str]| {
        let error = read(file, variables, &Arguments::default()).unwrap_err().to_string();
        for word in words {
            assert!(error.contains(word), "`{word}` is not in: {error}");
        }
    };
    check("\nlisten = ", &[], &["tidegate.toml:2:", "TOML"]);
    check("a = 1\na = 2", &[], &["tidegate.toml:2:1", "duplicate"]);
    check("connections_max = 15", &[], &["tidegate.toml, line 1", "`15`", "from 16 to"]);
    check("connections_max = -1", &[], &["`-1`", "not a number"]);
    check("connections_max = true", &[], &["not a number", "connections_max = 1000"]);
    check("listen = \"x\"\n\n\nlistne = \"x\"", &[], &["tidegate.toml:4: there is no key `listne`", "`listen`"]);
    check("[server]\nlisten = \"x\"", &[], &["no key `server`"]);
    check("listen = 8080", &[], &["`listen` is `8080` by ", "line 1", "write it like"]);
    check("peers = \"a:1\"", &[], &["`peers` is `a:1`", "list"]);
    check("peers = [1]", &[], &["`peers`", "list"]);
    check("cluster_insecure = \"yes\"", &[], &["`cluster_insecure` is `yes`", "true"]);
    check(
        "",
        &[("TIDEGATE_CLUSTER_INSECURE", "yes")],
        &["the variable TIDEGATE_CLUSTER_INSECURE", "`true` or `false`"],
    );
    check(
        "",
        &[("TIDEGATE_LISTEN", "8080")],
        &["`listen` is `8080` by the variable TIDEGATE_LISTEN", "127.0.0.1:8080"],
    );
    check("", &[("TIDEGATE_CLUSTER_LISTEN", "x")], &["127.0.0.1:7400"]);
    for drift in ["5", "499ms", "61s", "500.5ms", "-1s"] {
        check("", &[("TIDEGATE_MAX_DRIFT", drift)], &[&format!("`max_drift` is `{drift}`"), "from 500ms to 1m"]);
    }
    check("max_drift = 5", &[], &["`max_drift` is `5`"]);
    check("name = \"a\\u0007b\"", &[], &["`name` is `a\\u{7}b`", "control"]);
    check("peers = [\"10.0.0.7\"]", &[], &["`10.0.0.7`", "10.0.0.7:7400"]);
    check("documents = [\"ftp://x/y\"]", &[], &["`documents`", "http, https or zk"]);
    check("documents = [\"https://me:secret@\"]", &[], &["`documents`"]);
    check("health_listen = \"8081\"", &[], &["`health_listen` is `8081`", "127.0.0.1:8081"]);
    check("hosts = [\"http://flags.example\"]", &[], &["`hosts` is `http://flags.example`", "without scheme"]);
    check("", &[("TIDEGATE_HOSTS", "a.example, b.example:80")], &["`b.example:80`", "port"]);
    check("cors_origins = [\"shop.example\"]", &[], &["`cors_origins` is `shop.example`", "`https://shop.example`"]);
    check("data_dir = \"\"", &[], &["`data_dir`", "name a folder"]);
    #[cfg(feature = "redis")]
    check("store = \"http://x\"", &[], &["`store` is `(not shown)`", "line 1", "`redis://127.0.0.1:6379/0`"]);
    #[cfg(not(feature = "redis"))]
    check("store = \"redis://x\"", &[], &["built without Redis", "feature `redis`"]);
    #[cfg(feature = "redis")]
    check(
        "follow = [\"http://x\"]",
        &[("TIDEGATE_STORE", "redis://127.0.0.1")],
        &["`store` is set, too", "leave `store` out"],
    );
}

#[cfg(feature = "redis")]
#[test]
fn the_password_of_a_store_is_never_shown() {
    let variables = [("TIDEGATE_STORE", "rediss://dana:s3cret@flags.example/2")];
    let config = read("", &variables, &Arguments::default()).unwrap();
    assert!(config.builder().is_ok());
    let line = config.lines().into_iter().find(|(key, ..)| *key == Key::Store).unwrap();
    assert_eq!(line.1, "rediss://flags.example/2");
    assert!(!format!("{config:?}").contains("s3cret"), "{config:?}");
    for wrong in ["s3cret", "redis://dana:s3cret@host:x/0", "http://dana:s3cret@host"] {
        let error = read("", &[("TIDEGATE_STORE", wrong)], &Arguments::default()).unwrap_err();
        assert!(!error.to_string().contains("s3cret") && !format!("{error:?}").contains("s3cret"), "{error}");
    }
}

#[test]
fn other_hosts_are_served_only_when_configured() {
    for address in ["0.0.0.0:80", "[::]:80", "10.0.0.1:80"] {
        let file = format!("listen = \"{address}\"\n");
        let error = read(&file, &[], &Arguments::default()).unwrap_err();
        assert!(error.to_string().contains("--listen-unprotected"), "{error}");
        let arguments = Arguments { listen_unprotected: true, ..Arguments::default() };
        assert!(read(&file, &[], &arguments).is_ok());
        assert!(read(&(file + "listen_unprotected = true"), &[], &Arguments::default()).is_ok());
    }
}

#[test]
fn a_file_that_is_not_there_and_one_that_is_too_large() {
    let read = |path: &Path| Config::read(Some(path), |_| None, &Arguments::default()).unwrap_err().to_string();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.toml");
    assert!(read(&path).contains("x.toml` cannot be read"));
    std::fs::write(&path, "#".repeat(1024 * 1024 + 1)).unwrap();
    assert!(read(&path).contains("more than the limit of 1048576"));
}
