//! A server on a port of its own, and a client.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::{Method, header};
use serde_json::Value;
use tidegate::{Builder, Live, Tidegate};
use tidegate_server::{Listeners, Options, serve};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::contract;

/// A server that runs until it is stopped or dropped.
pub(crate) struct Server {
    pub(crate) tide: Tidegate,
    pub(crate) address: SocketAddr,
    client: reqwest::Client,
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<std::io::Result<()>>>,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: header::HeaderMap,
    pub(crate) body: Vec<u8>,
}

pub(crate) fn builder() -> Builder {
    Tidegate::builder().without_locks().without_cache().live(Live::in_memory().name("one")).serve_followers("one")
}

impl Server {
    /// With no document and a store in memory.
    pub(crate) async fn start() -> Self {
        Self::with(builder(), Options::default()).await
    }

    /// With this document.
    pub(crate) async fn with_document(document: &str) -> Self {
        Self::with(builder().text(document), Options::default()).await
    }

    pub(crate) async fn with(builder: Builder, options: Options) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(Listeners::new(listener), builder, options).await
    }

    /// With a listener for health alone, and its address.
    pub(crate) async fn with_health(builder: Builder, options: Options) -> (Self, SocketAddr) {
        let (listener, health) = (TcpListener::bind("127.0.0.1:0").await, TcpListener::bind("127.0.0.1:0").await);
        let health = health.unwrap();
        let address = health.local_addr().unwrap();
        (Self::on(Listeners::new(listener.unwrap()).health(health), builder, options).await, address)
    }

    async fn on(listeners: Listeners, builder: Builder, options: Options) -> Self {
        let tide = builder.connect_async().await.unwrap();
        let address = listeners.address().unwrap();
        let (stop, stopped) = oneshot::channel();
        let serving = serve(listeners, tide.clone(), options, async {
            let _ = stopped.await;
        });
        Self { tide, address, client: client(), stop: Some(stop), task: Some(tokio::spawn(serving)) }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.client.request(Method::from_bytes(method.as_bytes()).unwrap(), self.url(path))
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        Reply::from_request(self.request("GET", path)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        Reply::from_request(self.request("DELETE", path)).await
    }

    pub(crate) async fn put(&self, path: &str, body: &str) -> Reply {
        Reply::from_request(
            self.request("PUT", path).header(header::CONTENT_TYPE, "application/json").body(body.to_owned()),
        )
        .await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Reply {
        Reply::from_request(
            self.request("POST", path).header(header::CONTENT_TYPE, "application/json").body(body.to_owned()),
        )
        .await
    }

    /// Asks it to stop.
    pub(crate) fn stop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }

    /// Waits until it has.
    pub(crate) async fn ended(&mut self) {
        self.task.take().unwrap().await.unwrap().unwrap();
    }
}

impl Reply {
    /// Sends a request, and holds the answer against the contract.
    pub(crate) async fn from_request(request: reqwest::RequestBuilder) -> Self {
        let (client, request) = request.build_split();
        let request = request.unwrap();
        let (method, path) = (request.method().to_string(), request.url().path().to_owned());
        let response = client.execute(request).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let reply = Self { status, headers, body: response.bytes().await.unwrap().to_vec() };
        contract::check(&method, &path, &reply);
        reply
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.body).unwrap()
    }

    /// The JSON of an answer that is a success.
    pub(crate) fn good(&self) -> Value {
        assert_eq!((self.status, self.header("content-type")), (200, "application/json"), "{}", self.text());
        self.json()
    }

    /// The JSON of a problem, which is whole.
    pub(crate) fn problem(&self, status: u16) -> Value {
        assert_eq!((self.status, self.header("content-type")), (status, "application/problem+json"), "{}", self.text());
        let problem = self.json();
        assert_eq!(problem["status"], status);
        assert!(problem["type"].as_str().unwrap().starts_with("urn:tidegate:problem:"), "{problem}");
        for member in ["title", "detail", "help"] {
            assert!(!problem[member].as_str().unwrap().is_empty(), "{problem}");
        }
        problem
    }
}

fn client() -> reqwest::Client {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let tls = tls.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
    let builder = reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy();
    builder.timeout(Duration::from_secs(30)).build().unwrap()
}
