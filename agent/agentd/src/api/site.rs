//! What the site file says, for the UI's lists and forms.

use super::{App, AppState, Operator};
use axum::Json;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(show))
}

#[derive(Serialize, ToSchema)]
pub struct SiteView {
    name: String,
    realm: String,
    time_zone: String,
    currency: String,
    generation: u64,
    plans: Vec<Titled>,
    networks: Vec<NetworkView>,
    access_points: Vec<AccessPointView>,
    printers: Vec<PrinterView>,
    doors: Vec<Titled>,
}

#[derive(Serialize, ToSchema)]
pub struct Titled {
    name: String,
    title: String,
}

#[derive(Serialize, ToSchema)]
pub struct NetworkView {
    name: String,
    vlan: Option<u16>,
    team: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct AccessPointView {
    name: String,
    /// Where its packets over UDP come from, and where those by RadSec must.
    address: Option<String>,
    /// Where it takes Disconnect-Requests over UDP.
    coa_port: Option<u16>,
    /// Whether it may come by RadSec.
    radsec: bool,
}

#[derive(Serialize, ToSchema)]
pub struct PrinterView {
    name: String,
    title: String,
    upstream: String,
}

/// The site file in force, without its secrets.
#[utoipa::path(get, path = "/api/site", responses((status = 200, body = SiteView)))]
async fn show(app: AppState, _operator: Operator) -> Json<SiteView> {
    let model = Arc::clone(&app.shell.registrar.snapshot().site);
    Json(SiteView {
        name: model.site.name.clone(),
        realm: model.site.realm.clone(),
        time_zone: model.site.time_zone.iana_name().unwrap_or("UTC").to_owned(),
        currency: model.site.currency.clone(),
        generation: model.generation,
        plans: model
            .plans
            .values()
            .map(|plan| Titled { name: plan.name.to_string(), title: plan.title.clone() })
            .collect(),
        networks: model
            .networks
            .values()
            .map(|network| NetworkView {
                name: network.name.to_string(),
                vlan: network.vlan,
                team: network.team.clone(),
            })
            .collect(),
        access_points: model
            .access_points
            .values()
            .map(|point| AccessPointView {
                name: point.name.to_string(),
                address: point.address().map(|address| address.to_string()),
                coa_port: point.udp.as_ref().map(|udp| udp.coa_port),
                radsec: point.radsec.is_some(),
            })
            .collect(),
        printers: model
            .printers
            .values()
            .map(|printer| PrinterView {
                name: printer.name.to_string(),
                title: printer.title.clone(),
                upstream: printer.upstream.clone(),
            })
            .collect(),
        doors: model
            .doors
            .values()
            .map(|door| Titled { name: door.name.to_string(), title: door.title.clone() })
            .collect(),
    })
}
