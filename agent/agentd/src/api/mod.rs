//! The HTTP API: one router, served over HTTPS to the browser and over the unix socket to the command line. It turns a request
//! into a [`policy::Command`] or a question and the answer into JSON; it decides nothing.

pub mod access_point;
pub mod admin;
pub mod door;
pub mod events;
pub mod guard;
pub mod onboarding;
pub mod passphrase;
pub mod people;
pub mod print;
pub mod problem;
pub mod profile;
pub mod site;
pub mod why;
pub mod wifi;

pub use guard::Operator;
pub use problem::Problem;

use crate::shell::Shell;
use admin::Door as ClaimDesk;
use std::sync::Arc;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

/// A JSON body: a member with every field filled is a hundredth of this.
const BODY_MAX_BYTES: usize = 256 * 1024;

/// What handlers work with.
pub struct App {
    pub shell: Shell,
    pub pki: Arc<crate::pki::Pki>,
    pub wifi: crate::net::radius::WifiHandle,
    pub print: crate::http::ipp::PrintHandle,
    pub door: crate::net::mqtt::DoorHandle,
    pub claim: ClaimDesk,
    pub onboarding: crate::onboarding::Desk,
    /// Where HTTPS listens.
    pub https: std::net::SocketAddr,
    pub sessions: guard::Sessions,
    pub probe: crate::probe::Probe,
}

pub type AppState = axum::extract::State<Arc<App>>;

#[derive(OpenApi)]
#[openapi(info(
    title = "Doorpost",
    description = "The local API of one Doorpost box. Times are milliseconds since 1970-01-01T00:00:00Z; amounts are hundredths of the site's currency.",
    license(name = "Apache-2.0")
))]
struct Document;

fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::with_openapi(Document::openapi())
        .merge(admin::routes())
        .merge(people::routes())
        .merge(passphrase::routes())
        .merge(profile::routes())
        .merge(onboarding::routes())
        .merge(wifi::routes())
        .merge(access_point::routes())
        .merge(print::routes())
        .merge(door::routes())
        .merge(events::routes())
        .merge(site::routes())
        .merge(why::routes())
}

/// The API without anybody's identity: the listener adds the layer that says who calls.
pub fn router(app: Arc<App>) -> axum::Router {
    let (router, _) = routes().split_for_parts();
    router.layer(axum::extract::DefaultBodyLimit::max(BODY_MAX_BYTES)).with_state(app)
}

/// The document that docs/openapi.json is a copy of.
#[must_use]
pub fn openapi_json() -> String {
    let (_, document) = routes().split_for_parts();
    let mut text = document.to_pretty_json().expect("the document is plain data");
    text.push('\n');
    text
}
