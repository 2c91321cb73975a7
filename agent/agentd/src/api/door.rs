//! Doors and the devices that work them.

use super::{App, AppState, Operator, Problem};
use crate::net::mqtt::{DoorView, Opened};
use crate::secrets::typeable;
use axum::Json;
use axum::extract::Path;
use axum::http::StatusCode;
use policy::Command;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use values::DeviceName;

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(doors))
        .routes(routes!(open))
        .routes(routes!(devices, add_device))
        .routes(routes!(remove_device))
}

#[derive(Serialize, ToSchema)]
pub struct Doors {
    doors: Vec<DoorView>,
}

/// Doors with their relays and readers.
#[utoipa::path(get, path = "/api/doors", responses((status = 200, body = Doors)))]
async fn doors(app: AppState, _operator: Operator) -> Json<Doors> {
    Json(Doors { doors: app.door.doors().await })
}

#[derive(Default, Deserialize, ToSchema)]
pub struct OpenFor {
    /// Open as this member would, by the member's rights; without it as an operator.
    #[serde(default)]
    member: Option<String>,
}

/// Open a door; answers once the relay has confirmed, refused or stayed silent.
#[utoipa::path(post, path = "/api/doors/{door}/open", params(("door" = String, Path)), request_body = OpenFor, responses((status = 200, body = Opened), (status = 404, body = Problem)))]
async fn open(
    app: AppState,
    Operator(actor): Operator,
    Path(door): Path<String>,
    body: Option<Json<OpenFor>>,
) -> Result<Json<Opened>, Problem> {
    let unknown = || policy::Reason::NoSuchDoor { door: door.clone() };
    let name = door.parse().map_err(|_| unknown())?;
    if !app.shell.registrar.snapshot().site.doors.contains_key(&name) {
        return Err(unknown().into());
    }
    let member =
        body.and_then(|Json(body)| body.member).map(|member| super::people::find(&app, &member)).transpose()?;
    Ok(Json(app.door.open(name, actor, member).await))
}

#[derive(Serialize, ToSchema)]
pub struct DeviceView {
    name: String,
    profile: &'static str,
    added_at: i64,
    connected: bool,
    connected_since: Option<i64>,
}

#[derive(Serialize, ToSchema)]
pub struct Devices {
    devices: Vec<DeviceView>,
}

/// MQTT devices that have a credential.
#[utoipa::path(get, path = "/api/devices", responses((status = 200, body = Devices)))]
async fn devices(app: AppState, _operator: Operator) -> Json<Devices> {
    let connected = app.door.connected().await;
    let devices = app
        .shell
        .registrar
        .snapshot()
        .devices
        .values()
        .map(|device| DeviceView {
            name: device.name.to_string(),
            profile: device.profile.as_str(),
            added_at: device.added_at.0,
            connected: connected.contains_key(&device.name),
            connected_since: connected.get(&device.name).copied(),
        })
        .collect();
    Json(Devices { devices })
}

#[derive(Deserialize, ToSchema)]
pub struct NewDevice {
    name: String,
    /// `shelly-gen2` or `reader`.
    profile: String,
}

/// What to enter into the device; the password is shown in this answer only.
#[derive(Serialize, ToSchema)]
pub struct DeviceCredential {
    client_id: String,
    username: String,
    password: String,
}

/// Give a device its credential.
#[utoipa::path(post, path = "/api/devices", request_body = NewDevice, responses((status = 201, body = DeviceCredential), (status = 409, body = Problem), (status = 422, body = Problem)))]
async fn add_device(
    app: AppState,
    Operator(actor): Operator,
    Json(new): Json<NewDevice>,
) -> Result<(StatusCode, Json<DeviceCredential>), Problem> {
    let name: DeviceName = new
        .name
        .parse()
        .map_err(|_| Problem::invalid("The device's name", "1 to 63 lower-case letters, digits and inner hyphens"))?;
    let profile = new.profile.parse().map_err(|_| Problem::invalid("The profile", "shelly-gen2 or reader"))?;
    let password = typeable(5, 6);
    let password_sha256 = Sha256::digest(password.as_bytes()).into();
    app.shell.registrar.submit(actor, Command::AddDevice { name: name.clone(), profile, password_sha256 }).await?;
    Ok((
        StatusCode::CREATED,
        Json(DeviceCredential { client_id: name.to_string(), username: name.to_string(), password }),
    ))
}

/// Take a device's credential away; it is disconnected at once.
#[utoipa::path(delete, path = "/api/devices/{device}", params(("device" = String, Path)), responses((status = 204), (status = 404, body = Problem)))]
async fn remove_device(
    app: AppState,
    Operator(actor): Operator,
    Path(device): Path<String>,
) -> Result<StatusCode, Problem> {
    let name = device.parse().map_err(|_| policy::Reason::UnknownDevice { device: device.clone() })?;
    app.shell.registrar.submit(actor, Command::RemoveDevice { name }).await?;
    Ok(StatusCode::NO_CONTENT)
}
