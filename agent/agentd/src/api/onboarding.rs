//! Links and codes that members scan to bring a device onto the Wi-Fi. Each is in one answer only.

use super::passphrase::{NewWifiPassphrase, issue_passphrase};
use super::people::{checked_label, find};
use super::profile::network_of;
use super::{App, AppState, Operator, Problem};
use crate::onboarding::LINK_KEPT;
use crate::profile::qr::{self, Qr};
use axum::Json;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use policy::SsidSecurity;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use values::Secret;

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(open_link)).routes(routes!(issue_code))
}

#[derive(Deserialize, ToSchema)]
pub struct NewLink {
    #[serde(default)]
    label: Option<String>,
    /// The name or address that the device reaches this box by; the box's own name when left out.
    #[serde(default)]
    host: Option<String>,
}

/// Something to scan.
#[derive(Serialize, ToSchema)]
pub struct Code {
    /// The link; none for a passphrase.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    /// What was issued; none for a link, behind which nothing is issued yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    credential_id: Option<String>,
    /// The code as an image.
    svg: String,
    /// The code for a terminal.
    blocks: String,
}

fn code_of(text: &str) -> Result<Code, Problem> {
    let qr = Qr::of(text).ok_or_else(|| Problem::invalid("The code", "less text"))?;
    Ok(Code { url: None, expires_at: None, credential_id: None, svg: qr.svg(), blocks: qr.blocks() })
}

/// Make a link that brings one device of this member onto the Wi-Fi. It works once, for a day.
#[utoipa::path(post, path = "/api/members/{member}/onboarding-links", params(("member" = String, Path)), request_body = NewLink, responses((status = 201, body = Code), (status = 404, body = Problem), (status = 409, body = Problem)))]
async fn open_link(
    app: AppState,
    _operator: Operator,
    Path(member): Path<String>,
    headers: HeaderMap,
    Json(new): Json<NewLink>,
) -> Result<(StatusCode, Json<Code>), Problem> {
    let member = find(&app, &member)?;
    let label = checked_label(new.label, "device")?;
    network_of(&app, member, Vec::new())?; // a link that leads to nothing is not made
    let (now, realm) = (app.shell.clock.now(), app.shell.registrar.snapshot().site.site.realm.clone());
    policy::people::standing(&app.shell.registrar.snapshot(), member, now)?;
    let host = host(new.host, &headers, &realm, app.https.port())?;
    let token = app.onboarding.open(member, label, now.mono)?;
    let url = format!("https://{host}/join/{token}");
    let mut code = code_of(&url)?;
    code.expires_at = Some((now.stamp() + LINK_KEPT).0);
    code.url = Some(url);
    Ok((StatusCode::CREATED, Json(code)))
}

/// Where the device finds this box: as it was told, as the browser that asks found it, else by its own name.
fn host(told: Option<String>, headers: &HeaderMap, realm: &str, port: u16) -> Result<String, Problem> {
    let with_port = |name: String| if port == 443 { name } else { format!("{name}:{port}") };
    if let Some(told) = told {
        let fits = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
        return if !told.is_empty() && told.len() <= 253 && told.chars().all(fits) {
            Ok(if told.contains(':') { told } else { with_port(told) })
        } else {
            Err(Problem::invalid("The host", "a name or address, such as doorpost.local or 192.168.10.2"))
        };
    }
    let asked = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let here = ["localhost", "127.", "[::1]"].iter().any(|here| asked.starts_with(here));
    Ok(if asked.is_empty() || here { with_port(crate::pki::server_name(realm)) } else { asked.to_owned() })
}

#[derive(Deserialize, ToSchema)]
pub struct WantedCode {
    /// A network of the site file with `security: passphrase`; the first when left out.
    #[serde(default)]
    ssid: Option<String>,
    #[serde(default)]
    label: Option<String>,
    /// The address of the one device that it is for.
    #[serde(default)]
    mac: Option<String>,
}

/// Issue a passphrase and show it as a code to scan, for a network that devices join by one. Both are in this answer only.
#[utoipa::path(post, path = "/api/members/{member}/wifi-codes", params(("member" = String, Path)), request_body = WantedCode, responses((status = 201, body = Code), (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
async fn issue_code(
    app: AppState,
    Operator(actor): Operator,
    Path(member): Path<String>,
    Json(wanted): Json<WantedCode>,
) -> Result<(StatusCode, Json<Code>), Problem> {
    let member = find(&app, &member)?;
    let site = Arc::clone(&app.shell.registrar.snapshot().site);
    let known: Vec<&str> = site.ssids_by(SsidSecurity::Passphrase).collect();
    let ssid = match &wanted.ssid {
        None => known.first().copied(),
        Some(ssid) => known.iter().copied().find(|known| known == ssid),
    };
    let expected = format!("a network of the site file with `security: passphrase` ({})", known.join(", "));
    let ssid = ssid.ok_or_else(|| Problem::invalid("The SSID", &expected))?;
    let new = NewWifiPassphrase { label: wanted.label, mac: wanted.mac };
    let issued = issue_passphrase(&app, actor, member, new).await?;
    let passphrase = Secret::new(issued.password.unwrap_or_default());
    let mut code = code_of(&qr::wifi(ssid, passphrase.expose()))?;
    code.credential_id = Some(issued.credential_id);
    Ok((StatusCode::CREATED, Json(code)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_where_the_device_can_find_the_box() {
        let asked = |host: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().expect("a value"));
            headers
        };
        let ours = |told: Option<&str>, host: &str, port| {
            super::host(told.map(str::to_owned), &asked(host), "harbour.example", port).map_err(|problem| problem.code)
        };
        for (told, host, port, expected) in [
            (None, "localhost", 8443, "doorpost.harbour.example:8443"),
            (None, "localhost:8443", 443, "doorpost.harbour.example"),
            (None, "192.168.10.2:8443", 8443, "192.168.10.2:8443"),
            (None, "doorpost.local", 443, "doorpost.local"),
            (Some("10.0.0.1"), "localhost", 8443, "10.0.0.1:8443"),
            (Some("[fd00::1]:8443"), "localhost", 8443, "[fd00::1]:8443"),
        ] {
            assert_eq!(ours(told, host, port).as_deref(), Ok(expected), "{told:?} {host}");
        }
        for bad in ["", "a/b", "a b", "\"", "a?b"] {
            assert_eq!(ours(Some(bad), "localhost", 443), Err("invalid".to_owned()), "{bad}");
        }
    }
}
