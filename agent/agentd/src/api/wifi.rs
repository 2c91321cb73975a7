//! Who is online.

use super::{App, AppState, Operator, Problem};
use crate::net::radius::SessionView;
use axum::Json;
use axum::extract::Path;
use axum::http::StatusCode;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(sessions)).routes(routes!(kick))
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
