//! Servers that share changes through a Redis, against Debian's `redis-server`.

use tidegate_origin::{Authority, RedisServer};

use crate::run::{Host, until};
use crate::server_process::ServerProcess;

/// The URL of a Redis that wants a password.
fn url(redis: &RedisServer) -> String {
    format!("redis://:{PASSWORD}@127.0.0.1:{}/0", redis.port())
}

const PASSWORD: &str = "s3cret";

#[test]
fn a_flag_that_is_changed_on_one_server_changes_on_another_through_redis() {
    let (host, mut redis) = (Host::new(), RedisServer::start_with(&["--requirepass", PASSWORD]));
    let options = format!("--store {}", url(&redis));
    let (one, other) = (ServerProcess::start(&host, &options), ServerProcess::start(&host, &options));
    let change = host.run(&format!("activate checkout --create --server {}", one.url)).said();
    assert!(change.stderr.contains("acknowledged by Redis (appendfsync everysec)"), "{}", change.stderr);
    let is_on = || {
        let on = host.run(&format!("on checkout --server {} --key ann", other.url)).said();
        (on.code == 0).then_some(())
    };
    until("the other server has the change", is_on);
    let status = host.run(&format!("cluster status --server {}", other.url)).said();
    let shown = format!("redis://127.0.0.1:{}/0, connected, ", redis.port());
    assert!(status.stdout.contains(&shown), "{}", status.stdout);
    redis.kill();
    let command = format!("deactivate checkout --server {} --timeout 300ms", one.url);
    let change = host.run(&command).said();
    assert_eq!(change.code, 6, "{}", change.stderr);
    assert!(change.stderr.contains("not acknowledged in time by Redis"), "{}", change.stderr);
    let status = until("the problem is shown", || {
        let status = host.run(&format!("cluster status --server {}", one.url)).said();
        status.stdout.contains("unreachable since").then_some(status)
    });
    assert_eq!(status.code, 1, "{}", status.stdout);
    let logged = [one.said_so_far(), other.said_so_far()].concat().join("\n");
    let told = [logged, change.stdout, change.stderr, status.stdout, status.stderr].concat();
    assert!(told.contains("Redis") && !told.contains(PASSWORD), "{told}");
}

#[test]
fn cacert_names_the_authority_of_a_redis_with_tls() {
    let (host, authority) = (Host::new(), Authority::new());
    let redis = RedisServer::start_with_tls(&authority, false);
    host.write("ca.pem", authority.pem());
    let server = ServerProcess::start(&host, &format!("--store {} --cacert ca.pem", redis.tls_url()));
    let change = host.run(&format!("activate checkout --create --server {}", server.url)).said();
    assert!(change.stderr.contains("acknowledged by Redis"), "{}", change.stderr);
    let other = ServerProcess::start(&host, &format!("--store {}", redis.tls_url()));
    until("the problem is shown", || {
        let status = host.run(&format!("cluster status --server {}", other.url)).said();
        status.stdout.contains("its certificate is not accepted").then_some(())
    });
}
