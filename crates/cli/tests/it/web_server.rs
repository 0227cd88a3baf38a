//! Against a real web server, started here: what the access log shows is what goes over the wire.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::run::{Host, until};
use crate::server_process::ServerProcess;

#[test]
fn nginx_sends_one_body_and_then_only_304() {
    let host = Host::new();
    host.write("flags.json", r#"{"f": {"x": {"stable": 1}}}"#);
    let nginx = Nginx::start(&host);
    let url = nginx.url("/flags.json");
    for _ in 0..3 {
        host.run(&format!("get {url} f x")).stdout("1\n").check();
    }
    assert_eq!(nginx.log(3), ["200", "304", "304"]);
    host.write("flags.json", r#"{"f": {"x": {"stable": 2222}}}"#);
    host.run(&format!("get {url} f x")).stdout("2222\n").check();
    host.run(&format!("get {url} f x")).stdout("2222\n").check();
    assert_eq!(nginx.log(5)[3..], ["200", "304"]);
}

/// Through a proxy that was told nothing but where the server is, everything works as without one, and events come at once.
#[test]
fn a_server_behind_nginx() {
    let host = Host::new();
    let server = ServerProcess::start(&host, "--data-dir state");
    let nginx = Nginx::start_with(&host, &format!("location / {{ proxy_pass {}; }}", server.url));
    let url = nginx.url("");
    host.run(&format!("activate a%2Fb/x --create --server {url}")).code(0).said();
    host.run(&format!("on a%2Fb/x --server {url}")).code(0).said();
    host.run(&format!("flags --server {url}")).code(0).word("--format").word("json").said();
    let mut stream = TcpStream::connect(("127.0.0.1", nginx.port)).unwrap();
    // Less than the time to the next sign of life, which would push out what is held back.
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream.write_all(b"GET /api/v1/watch HTTP/1.1\r\nhost: flags.example\r\n\r\n").unwrap();
    let mut said = String::new();
    let mut read_to = |word: &str| {
        let mut some = [0; 1024];
        while !said.contains(word) {
            let count = stream.read(&mut some).expect("it comes at once");
            assert!(count > 0, "{said}");
            said.push_str(str::from_utf8(&some[..count]).unwrap());
        }
        std::mem::take(&mut said)
    };
    let head = read_to(": watching");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    host.run(&format!("deactivate a%2Fb/x --server {url}")).code(0).said();
    read_to("\"kind\":\"activation\"");
    host.run(&format!("backup kept --server {url}")).code(0).said();
    host.run(&format!("restore kept --server {url}")).code(0).said();
}

/// A web server of the host's folder; it ends with this value.
struct Nginx {
    process: Child,
    port: u16,
    log: PathBuf,
}

impl Nginx {
    fn start(host: &Host) -> Self {
        Self::start_with(host, &format!("root {}; etag on;", host.path("").display()))
    }

    /// With this in the configuration of its only server.
    fn start_with(host: &Host, server: &str) -> Self {
        let program = ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx", "/sbin/nginx"];
        let program = program.into_iter().map(Path::new).find(|program| program.exists());
        let program = program.expect("no nginx on this machine; install the package `nginx-light`");
        let root = host.path("");
        let log = host.path("access.log");
        // A free port may be taken by somebody else before nginx has it: then it is tried with another one.
        until("nginx has a port", || {
            let port = TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port();
            fs::write(host.path("nginx.conf"), configuration(&root, port, server)).unwrap();
            let process = Command::new(program)
                .arg("-p")
                .arg(&root)
                .args(["-e", "error.log", "-c", "nginx.conf"])
                .current_dir(&root)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let mut nginx = Self { process, port, log: log.clone() };
            until("nginx answers or ends", || {
                let has_ended = nginx.process.try_wait().unwrap().is_some();
                (has_ended || TcpStream::connect(("127.0.0.1", port)).is_ok()).then_some(!has_ended)
            })
            .then_some(nginx)
        })
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The status of each request so far, once there are as many as expected: nginx writes them after the answer.
    fn log(&self, count: usize) -> Vec<String> {
        until("the requests are in the log", || {
            let lines: Vec<String> = fs::read_to_string(&self.log).ok()?.lines().map(str::to_owned).collect();
            (lines.len() >= count).then_some(lines)
        })
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn configuration(root: &Path, port: u16, server: &str) -> String {
    let root = root.display();
    format!(
        "daemon off; master_process off; pid nginx.pid;\n\
         events {{ worker_connections 64; }}\n\
         http {{\n\
           log_format status '$status';\n\
           access_log {root}/access.log status;\n\
           client_body_temp_path {root}/body; proxy_temp_path {root}/proxy; fastcgi_temp_path {root}/fastcgi;\n\
           uwsgi_temp_path {root}/uwsgi; scgi_temp_path {root}/scgi;\n\
           server {{ listen 127.0.0.1:{port}; {server} }}\n\
         }}\n"
    )
}
