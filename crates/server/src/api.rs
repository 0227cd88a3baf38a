//! What can be asked under `/api/v1`, and who answers it.

mod activation;
mod answer;
mod ask;
mod backup;
mod budget;
mod changes;
mod check;
mod cluster;
mod decision;
mod definition;
mod explain;
mod flag;
mod follow;
mod given;
mod health;
mod history;
mod hosts;
mod listing;
mod metrics;
mod parts;
mod plan;
mod precondition;
mod problem;
mod quarantine;
mod simulate;
mod watch;
mod work;

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use tidegate::{Cluster, Tidegate};
use tokio::sync::{Semaphore, watch as watched};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::openapi;
use crate::options::Options;
use crate::tasks::Tasks;
use follow::Followers;
use work::Work;

pub(crate) use ask::{Incoming, JSON, Wanted, collect_body, foreign_origin};
pub(crate) use budget::{Budget, Held, Reserved};
pub use check::CheckReport;
pub(crate) use hosts::{Hosts, LocalAddress, check_name};
#[cfg(test)]
pub(crate) use problem::Kind as ProblemKind;
pub(crate) use problem::Problem;
pub(crate) use watch::{EVENTS, open_stream};
pub(crate) use work::Kind;

/// What every answer is made from.
#[derive(Debug)]
pub(crate) struct Api {
    tide: Tidegate,
    options: Options,
    stopping: watched::Receiver<bool>,
    watchers: Arc<Semaphore>,
    followers: Followers,
    work: Work,
    tasks: Tasks,
    budget: Budget,
    feed: watch::Feed,
}

type Shared = State<Arc<Api>>;
type Answer = Result<Response, Problem>;

impl Api {
    pub(crate) fn new(tide: Tidegate, options: Options, stopping: watched::Receiver<bool>, tasks: Tasks) -> Arc<Self> {
        let watchers = Arc::new(Semaphore::new(options.watchers_max));
        let followers = Followers::new(options.followers_max);
        let work = Work::new(options.waits_max);
        let budget = Budget::new(options.memory_max);
        let feed = watch::Feed::default();
        Arc::new(Self { tide, options, stopping, watchers, followers, work, tasks, budget, feed })
    }

    /// The instance that answers.
    pub(crate) fn tide(&self) -> &Tidegate {
        &self.tide
    }

    /// The memory for bodies and answers.
    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// What this server runs beside its connections.
    pub(crate) fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// The limits of this server.
    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    /// Learns that the server stops.
    pub(crate) fn stopping(&self) -> watched::Receiver<bool> {
        self.stopping.clone()
    }

    fn cluster(&self) -> Result<Cluster, Problem> {
        self.tide.cluster().ok_or_else(|| match self.tide.follower() {
            Some(follower) => tidegate::ChangeError::Follower { server: follower.server() }.into(),
            None => tidegate::ChangeError::NotLive.into(),
        })
    }
}

/// All routes and their contract: a route is added by its annotation, and in no other way ([`openapi`] says how).
fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::with_openapi(openapi::base())
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
        .routes(routes!(health::changes))
        .routes(routes!(listing::list))
        .routes(routes!(flag::show, definition::define, definition::remove))
        .routes(routes!(activation::set, activation::clear))
        .routes(routes!(changes::apply))
        .routes(routes!(history::page))
        .routes(routes!(decision::decide))
        .routes(routes!(history::page_of_all))
        .routes(routes!(health::status))
        .routes(routes!(metrics::metrics))
        .routes(routes!(cluster::status))
        .routes(routes!(cluster::forget))
        .routes(routes!(quarantine::list))
        .routes(routes!(quarantine::accept))
        .routes(routes!(quarantine::drop))
        .routes(routes!(cluster::repair_clock))
        .routes(routes!(backup::write))
        .routes(routes!(backup::restore))
        .routes(routes!(check::check))
        .routes(routes!(plan::plan))
        .routes(routes!(simulate::simulate))
        .routes(routes!(explain::explain))
        .routes(routes!(watch::watch))
        .routes(routes!(follow::snapshot))
        .routes(routes!(follow::changes))
        .routes(routes!(openapi::contract))
        .routes(routes!(openapi::page))
        .routes(routes!(openapi::script))
        .routes(routes!(openapi::style))
}

/// The contract of these routes.
#[cfg(test)]
pub(crate) fn contract() -> utoipa::openapi::OpenApi {
    routes().into_openapi()
}

/// All that is answered but for OFREP, whose requests never come to the router.
pub(crate) fn router(api: Arc<Api>) -> Router {
    let (router, _) = routes().split_for_parts();
    router
        .route_layer(middleware::from_fn(own_origin))
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(Arc::clone(&api), budget::limit_answers))
        .layer(middleware::from_fn_with_state(Hosts::new(&api.options.hosts), guard))
        .with_state(api)
}

/// What is answered on a listener for health alone. There is nothing to change and nothing to read, so any host will do: probes
/// ask under addresses that are not configured.
pub(crate) fn health_router(api: Arc<Api>) -> Router {
    Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/readyz/changes", get(health::changes))
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .with_state(api)
}

/// What is answered while the node starts.
pub(crate) fn starting_router(since: Instant, options: &Options) -> Router {
    starting_health_router(since).layer(middleware::from_fn_with_state(Hosts::new(&options.hosts), guard))
}

/// The same on a listener for health alone.
pub(crate) fn starting_health_router(since: Instant) -> Router {
    Router::new().route("/healthz", get(health::alive)).fallback(async move || health::starting(since))
}

async fn unknown_path(request: Request) -> Problem {
    Problem::unknown_path(request.uri().path())
}

async fn wrong_method(request: Request) -> Problem {
    Problem::wrong_method(request.method())
}

/// Pages of other origins may not change anything.
async fn own_origin(request: Request, next: Next) -> Response {
    match ask::check_origin(&request) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

/// What holds for every request: it names a host that this server goes by, and no cache keeps an answer.
async fn guard(State(hosts): State<Hosts>, request: Request, next: Next) -> Response {
    let own = request.extensions().get::<LocalAddress>().map(|address| address.0);
    let mut response = match hosts.check(request.headers(), request.uri(), request.version(), own) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    keep_from_caches(response.headers_mut());
    response
}

/// No cache keeps an answer, unless the answer says otherwise.
pub(crate) fn keep_from_caches(headers: &mut HeaderMap) {
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}
