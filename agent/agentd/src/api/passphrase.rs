//! What devices get that cannot do 802.1X: a passphrase of their own, or a registration of their address.

use super::people::{Issued, checked_label, find, issued};
use super::{App, AppState, Operator, Problem};
use crate::passphrases::pmks;
use crate::secrets::typeable;
use axum::Json;
use axum::extract::Path;
use axum::http::StatusCode;
use policy::{Actor, Command, SsidSecurity};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use values::{MacAddress, MemberId, Secret};

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(issue_wifi_passphrase)).routes(routes!(register_wifi_device))
}

#[derive(Deserialize, ToSchema)]
pub struct NewWifiPassphrase {
    #[serde(default)]
    pub(super) label: Option<String>,
    /// The address of the one device that it is for. Without it the passphrase is for any device of the member, which works
    /// only with access points that pass on the handshake, and never with WPA3.
    #[serde(default)]
    pub(super) mac: Option<String>,
}

/// Issue a passphrase for the networks with `security: passphrase`. It is shown in this answer only.
#[utoipa::path(post, path = "/api/members/{member}/wifi-passphrases", params(("member" = String, Path)), request_body = NewWifiPassphrase, responses((status = 201, body = Issued), (status = 409, body = Problem), (status = 422, body = Problem)))]
async fn issue_wifi_passphrase(
    app: AppState,
    Operator(actor): Operator,
    Path(member): Path<String>,
    Json(new): Json<NewWifiPassphrase>,
) -> Result<(StatusCode, Json<Issued>), Problem> {
    let member = find(&app, &member)?;
    Ok((StatusCode::CREATED, Json(issue_passphrase(&app, actor, member, new).await?)))
}

/// A new passphrase, as it is shown once.
///
/// # Errors
/// There is no network for it, or it could not be issued.
pub(super) async fn issue_passphrase(
    app: &App,
    actor: Actor,
    member: MemberId,
    new: NewWifiPassphrase,
) -> Result<Issued, Problem> {
    let label = checked_label(new.label, "device")?;
    let mac = new.mac.as_deref().map(address).transpose()?;
    let site = Arc::clone(&app.shell.registrar.snapshot().site);
    let ssids: Vec<String> = site.ssids_by(SsidSecurity::Passphrase).map(ToOwned::to_owned).collect();
    if ssids.is_empty() {
        let sentence =
            "The site file has no network with `security: passphrase`, so a passphrase would open nothing; add one.";
        return Err(Problem::new(StatusCode::CONFLICT, "no-passphrase-network", sentence));
    }
    // 96 bits in 23 characters, none of which anybody mistakes for another.
    let passphrase = Secret::new(typeable(4, 5));
    let pmks = pmks(passphrase.clone(), ssids.clone()).await?;
    let shown = passphrase.expose().clone();
    let command = Command::IssueWifiPassphrase { member, label, passphrase, mac, pmks };
    let committed = app.shell.registrar.submit(actor, command).await?;
    let mut issued = issued(&committed.changes, "", Some(shown))?;
    issued.ssids = ssids;
    Ok(issued)
}

#[derive(Deserialize, ToSchema)]
pub struct NewWifiDevice {
    /// In any usual spelling, such as 02:00:00:00:00:01.
    mac: String,
    #[serde(default)]
    label: Option<String>,
}

/// Let a device in by its address alone. Anybody can take an address, so give such devices a network of their own.
#[utoipa::path(post, path = "/api/members/{member}/wifi-devices", params(("member" = String, Path)), request_body = NewWifiDevice, responses((status = 201, body = Issued), (status = 409, body = Problem), (status = 422, body = Problem)))]
async fn register_wifi_device(
    app: AppState,
    Operator(actor): Operator,
    Path(member): Path<String>,
    Json(new): Json<NewWifiDevice>,
) -> Result<(StatusCode, Json<Issued>), Problem> {
    let member = find(&app, &member)?;
    let label = checked_label(new.label, "device")?;
    let mac = address(&new.mac)?;
    let committed = app.shell.registrar.submit(actor, Command::RegisterDevice { member, label, mac }).await?;
    Ok((StatusCode::CREATED, Json(issued(&committed.changes, "", None)?)))
}

/// A group address (IEEE 802, 8.2: the lowest bit of the first octet) is nobody's.
fn address(text: &str) -> Result<MacAddress, Problem> {
    let mac = text.trim().parse().ok().filter(|mac: &MacAddress| mac.0[0] & 1 == 0 && mac.0 != [0; 6]);
    mac.ok_or_else(|| Problem::invalid("The MAC address", "the address of a device, such as 02:00:00:00:00:01"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_devices() {
        for (text, is) in [
            ("02:00:00:00:00:01", true),
            (" 0200.0000.0001 ", true),
            ("01:00:5e:00:00:01", false),
            ("ff:ff:ff:ff:ff:ff", false),
            ("00:00:00:00:00:00", false),
            ("printer", false),
        ] {
            assert_eq!(address(text).is_ok(), is, "{text}");
        }
    }

    #[test]
    fn what_is_generated_is_a_passphrase() {
        assert!(proto::wpa::is_passphrase(&typeable(4, 5)));
    }
}
