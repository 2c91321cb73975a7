//! Who is online, and whose VLAN is used.

use super::{App, AppState, Operator, Problem};
use crate::net::radius::SessionView;
use axum::Json;
use axum::extract::Path;
use axum::http::StatusCode;
use policy::wifi::{VlanState, vlan_state};
use policy::{Command, Network, Reason};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Time to walk to a device and have it log in.
const TEST_MINUTES: u16 = 10;

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(sessions))
        .routes(routes!(kick))
        .routes(routes!(networks))
        .routes(routes!(test))
        .routes(routes!(confirm))
}

#[derive(Serialize, ToSchema)]
pub struct Sessions {
    sessions: Vec<SessionView>,
}

/// Devices on the Wi-Fi now.
#[utoipa::path(get, path = "/api/wifi/sessions", responses((status = 200, body = Sessions)))]
async fn sessions(app: AppState, _operator: Operator) -> Json<Sessions> {
    Json(Sessions { sessions: app.wifi.sessions().await })
}

/// Ask the access point to disconnect a device; it may come back.
#[utoipa::path(post, path = "/api/wifi/sessions/{session}/kick", params(("session" = String, Path)), responses((status = 202), (status = 422, body = Problem)))]
async fn kick(app: AppState, _operator: Operator, Path(session): Path<String>) -> Result<StatusCode, Problem> {
    let session = session.parse().map_err(|_| Problem::invalid("The session", "an id of the form sess_…"))?;
    app.wifi.kick(session).await?;
    Ok(StatusCode::ACCEPTED)
}

#[derive(Serialize, ToSchema)]
pub struct Networks {
    networks: Vec<NetworkState>,
}

#[derive(Serialize, ToSchema)]
pub struct NetworkState {
    name: String,
    vlan: Option<u16>,
    /// `flat` (it has no VLAN), `untested` (its VLAN is not used), `testing` (for one member's devices alone) or `tested`.
    state: &'static str,
    /// Who tests it, by id.
    member_id: Option<String>,
    until: Option<i64>,
}

fn network_state(app: &App, network: &Network) -> NetworkState {
    let state = vlan_state(&app.shell.registrar.snapshot(), network, app.shell.clock.now());
    let (member_id, until) = match state {
        VlanState::Testing { member, until, .. } => (Some(member.to_string()), Some(until.0)),
        VlanState::Flat | VlanState::Untested { .. } | VlanState::Tested { .. } => (None, None),
    };
    NetworkState { name: network.name.to_string(), vlan: network.vlan, state: state.word(), member_id, until }
}

fn network(app: &App, name: &str) -> Result<Network, Problem> {
    let snapshot = app.shell.registrar.snapshot();
    let found = snapshot.site.networks.values().find(|network| network.name.as_str() == name);
    Ok(found.cloned().ok_or_else(|| Reason::UnknownNetwork { network: name.to_owned() })?)
}

/// Networks, and whether their VLANs are used.
#[utoipa::path(get, path = "/api/wifi/networks", responses((status = 200, body = Networks)))]
async fn networks(app: AppState, _operator: Operator) -> Json<Networks> {
    let snapshot = app.shell.registrar.snapshot();
    Json(Networks { networks: snapshot.site.networks.values().map(|network| network_state(&app, network)).collect() })
}

#[derive(Deserialize, ToSchema)]
pub struct VlanTestOf {
    /// Id, e-mail address or name of the member whose devices try the VLAN.
    member: String,
    /// 1 to 60; 10 when left out.
    minutes: Option<u16>,
}

/// Put a member's devices on a network's VLAN for some minutes; it is used from then on when one of them works there.
#[utoipa::path(post, path = "/api/wifi/networks/{network}/test", params(("network" = String, Path)), request_body = VlanTestOf, responses((status = 200, body = NetworkState), (status = 404, body = Problem), (status = 422, body = Problem)))]
async fn test(
    app: AppState,
    Operator(actor): Operator,
    Path(name): Path<String>,
    Json(asked): Json<VlanTestOf>,
) -> Result<Json<NetworkState>, Problem> {
    let network = network(&app, &name)?;
    let member = super::people::find(&app, &asked.member)?;
    let minutes = asked.minutes.unwrap_or(TEST_MINUTES);
    let command = Command::OpenVlanTest { network: network.name.clone(), member, minutes };
    app.shell.registrar.submit(actor, command).await?;
    Ok(Json(network_state(&app, &network)))
}

/// Say that a network's VLAN works, without or instead of a test.
#[utoipa::path(post, path = "/api/wifi/networks/{network}/confirm", params(("network" = String, Path)), responses((status = 200, body = NetworkState), (status = 409, body = Problem), (status = 422, body = Problem)))]
async fn confirm(
    app: AppState,
    Operator(actor): Operator,
    Path(name): Path<String>,
) -> Result<Json<NetworkState>, Problem> {
    let network = network(&app, &name)?;
    let vlan = network.vlan.ok_or(Reason::NoVlan { network: name })?;
    let command = Command::PassVlanTest { network: network.name.clone(), vlan };
    app.shell.registrar.submit(actor, command).await?;
    Ok(Json(network_state(&app, &network)))
}
