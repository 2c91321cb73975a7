//! Access points: those of the site file, and the certificates with which they come by RadSec.

use super::{App, AppState, Operator, Problem};
use axum::Json;
use axum::extract::Path;
use axum::http::StatusCode;
use policy::access_point::may_use_radsec;
use policy::{Command, Reason};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use values::AccessPointName;

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(issue_certificate, revoke_certificate))
}

#[derive(Serialize, ToSchema)]
pub struct AccessPointState {
    name: String,
    address: Option<String>,
    /// Whether it may come by RadSec.
    radsec: bool,
    certificate: Option<CertificateState>,
    /// Its RadSec connections that are open.
    connections: usize,
}

#[derive(Serialize, ToSchema)]
pub struct CertificateState {
    /// SHA-256 in hexadecimal.
    fingerprint: String,
    issued_at: i64,
    expires_at: i64,
}

#[derive(Serialize, ToSchema)]
pub struct AccessPoints {
    access_points: Vec<AccessPointState>,
}

/// The access points of the site file, with their RadSec certificates and connections.
#[utoipa::path(get, path = "/api/access-points", responses((status = 200, body = AccessPoints)))]
async fn list(app: AppState, _operator: Operator) -> Json<AccessPoints> {
    let connections = app.wifi.connections().await;
    let snapshot = app.shell.registrar.snapshot();
    let state = |point: &policy::AccessPoint| AccessPointState {
        name: point.name.to_string(),
        address: point.address().map(|address| address.to_string()),
        radsec: point.radsec.is_some(),
        certificate: snapshot.access_point_certificates.get(&point.name).map(|issued| CertificateState {
            fingerprint: crate::secrets::hex(&issued.fingerprint),
            issued_at: issued.issued_at.0,
            expires_at: issued.expires_at.0,
        }),
        connections: connections.get(&point.name).copied().unwrap_or(0),
    };
    Json(AccessPoints { access_points: snapshot.site.access_points.values().map(state).collect() })
}

/// What to install on the access point, in PEM; the key is in this answer only.
#[derive(Serialize, ToSchema)]
pub struct IssuedCertificate {
    access_point: String,
    /// The DNS name in the certificate.
    name: String,
    key: String,
    certificate: String,
    /// The CA that signed the box's own certificate: what the access point checks the box by.
    ca: String,
    /// SHA-256 of the certificate, in hexadecimal.
    fingerprint: String,
    expires_at: i64,
}

/// Issue an access point's RadSec certificate; the one before is worth nothing from then on.
#[utoipa::path(post, path = "/api/access-points/{access_point}/certificate", params(("access_point" = String, Path)), responses((status = 201, body = IssuedCertificate), (status = 404, body = Problem), (status = 409, body = Problem)))]
async fn issue_certificate(
    app: AppState,
    Operator(actor): Operator,
    Path(access_point): Path<String>,
) -> Result<(StatusCode, Json<IssuedCertificate>), Problem> {
    let name = named(access_point)?;
    may_use_radsec(&app.shell.registrar.snapshot(), &name)?; // before a key is made
    let (pki, now) = (Arc::clone(&app.pki), app.shell.clock.now().stamp());
    let of = name.clone();
    let issued = tokio::task::spawn_blocking(move || pki.issue_access_point(&of, now)).await;
    let failed = |detail: String| Reason::StorageFailed { what: detail };
    let issued = issued.map_err(|error| failed(error.to_string()))?.map_err(|error| failed(error.to_string()))?;
    let command = Command::IssueAccessPointCertificate {
        access_point: name.clone(),
        fingerprint: issued.fingerprint,
        expires_at: issued.expires_at,
    };
    app.shell.registrar.submit(actor, command).await?;
    Ok((
        StatusCode::CREATED,
        Json(IssuedCertificate {
            access_point: name.to_string(),
            name: issued.name,
            key: issued.key.expose().clone(),
            certificate: issued.certificate,
            ca: issued.authority,
            fingerprint: crate::secrets::hex(&issued.fingerprint),
            expires_at: issued.expires_at.0,
        }),
    ))
}

/// Withdraw an access point's RadSec certificate; its connections are closed at once.
#[utoipa::path(delete, path = "/api/access-points/{access_point}/certificate", params(("access_point" = String, Path)), responses((status = 204), (status = 404, body = Problem)))]
async fn revoke_certificate(
    app: AppState,
    Operator(actor): Operator,
    Path(access_point): Path<String>,
) -> Result<StatusCode, Problem> {
    let access_point = named(access_point)?;
    app.shell.registrar.submit(actor, Command::RevokeAccessPointCertificate { access_point }).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn named(text: String) -> Result<AccessPointName, Reason> {
    text.parse().map_err(|_| Reason::UnknownAccessPoint { access_point: text })
}
