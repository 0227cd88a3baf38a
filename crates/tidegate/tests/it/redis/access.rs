//! Who may use Redis: certificates, and the permissions of a user.

use tidegate_origin::Authority;

use super::*;

fn problem(tide: &Tidegate, code: &str) -> Option<String> {
    status(tide).problems.into_iter().find(|problem| problem.code == code).map(|problem| problem.message)
}

fn connect(live: Live) -> Tidegate {
    Tidegate::builder().live(live.cluster("tests")).without_locks().startup_wait(Duration::ZERO).connect().unwrap()
}

#[test]
fn tls_trusts_the_authorities_that_are_given_and_refuses_others() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let server = RedisServer::start_with_tls(&authority, false);
    let one = connect(Live::redis(server.tls_url()).redis_root_certificates(authority.pem()));
    assert!(activate(&one, "checkout").is_reached, "{:?}", redis(&one));
    for live in [Live::redis(server.tls_url()), Live::redis(server.tls_url()).redis_root_certificates(stranger.pem())] {
        let other = connect(live);
        until("the status says so", || problem(&other, "redis-certificate").is_some());
        let message = problem(&other, "redis-certificate").unwrap();
        assert!(message.contains("UnknownIssuer") && message.contains("redis_root_certificates"), "{message}");
        assert!(!other.is_active("checkout"));
    }
    let live = Live::redis(server.tls_url()).redis_root_certificates("no certificate");
    drop(connect(live));
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let live = Live::redis(server.tls_url()).redis_root_certificates(broken);
    let error = Tidegate::builder().live(live).without_locks().connect().unwrap_err();
    assert!(error.to_string().contains("the certificates for Redis cannot be used"), "{error}");
}

#[test]
fn redis_that_wants_a_certificate_gets_one() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let server = RedisServer::start_with_tls(&authority, true);
    let live = || Live::redis(server.tls_url()).redis_root_certificates(authority.pem());
    let (chain, key) = authority.issue(&["checkout"]);
    let one = connect(live().redis_client_certificate(chain, key));
    assert!(activate(&one, "checkout").is_reached, "{:?}", redis(&one));
    let (chain, key) = stranger.issue(&["checkout"]);
    for live in [live(), live().redis_client_certificate(chain, key)] {
        let other = connect(live);
        until("the status says so", || problem(&other, "redis-certificate").is_some());
        let message = problem(&other, "redis-certificate").unwrap();
        assert!(message.contains("redis_client_certificate"), "{message}");
    }
}

/// The rights of the guide, each with its `+`.
fn rights() -> Vec<String> {
    let page = include_str!("../../../../../docs/guide/redis.md");
    let acl = page.split("ACL SETUSER tidegate").nth(1).unwrap().split("```").next().unwrap();
    acl.split_whitespace().filter(|word| word.starts_with('+')).map(str::to_owned).collect()
}

/// Whether the status names this right, once a change was tried.
fn names(send: &dyn Fn(&Tidegate) -> Receipt, tide: &Tidegate, right: &str) -> bool {
    send(tide);
    let named = format!("`{}`", right.trim_start_matches('+'));
    problem(tide, "redis-permission").is_some_and(|message| message.contains(&named) && !message.contains("s3cret"))
}

#[test]
fn a_user_needs_each_right_of_the_guide_and_the_status_names_the_one_that_is_missing() {
    let server = RedisServer::start_with(&["--repl-diskless-sync-delay", "0"]);
    let _replica = RedisServer::start_with(&["--replicaof", "127.0.0.1", &server.port().to_string()]);
    until("the replica is in step", || server.ask(&["INFO", "replication"]).contains("state=online"));
    let set_user = |name: &str, keys: &str, rights: &[&String]| {
        let mut words = vec!["ACL", "SETUSER", name, "on", ">s3cret", keys, "-@all"];
        words.extend(rights.iter().map(|right| right.as_str()));
        assert_eq!(server.ask(&words), "OK");
    };
    // Of another database than the first one, which needs one right more.
    let user = |name: &str| connect(Live::redis(format!("redis://{name}:s3cret@127.0.0.1:{}/1", server.port())));
    let rights = rights();
    set_user("all", "~{tidegate:*}:*", &rights.iter().collect::<Vec<_>>());
    let all = user("all");
    let send = |tide: &Tidegate| tide.activate("checkout").timeout(Duration::from_millis(300)).send().unwrap();
    until("a user with all rights reaches Redis", || send(&all).is_reached);
    thread::scope(|scope| {
        let (rights, user, send, set_user) = (&rights, &user, &send, &set_user);
        for missing in rights {
            scope.spawn(move || {
                let name = missing.trim_start_matches('+').replace('|', "-");
                let others: Vec<&String> = rights.iter().filter(|right| *right != missing).collect();
                set_user(&name, "~{tidegate:*}:*", &others);
                let tide = user(&name);
                match missing.as_str() {
                    // Only a slot that moves in a Redis Cluster needs it.
                    "+asking" => until("Redis is used", || send(&tide).is_reached),
                    // Receipts do not say it then.
                    "+config|get" => {
                        until("Redis is used", || send(&tide).is_reached);
                        assert_eq!(redis(&tide).appendfsync, None);
                    }
                    _ => until(&format!("the status names {missing}"), || names(send, &tide, missing)),
                }
            });
        }
    });
    let far = connect(Live::redis(format!("redis://all:s3cret@127.0.0.1:{}/99", server.port())));
    until("the status says that there is no such database", || problem(&far, "redis-database").is_some());
    set_user("elsewhere", "~other:*", &rights.iter().collect::<Vec<_>>());
    let tide = user("elsewhere");
    until("the status names the keys", || {
        problem(&tide, "redis-permission").is_some_and(|message| message.contains("`{tidegate:NAME}:*`"))
    });
}
