//! Certificates and profiles for members' devices: what they log in with, and the file that brings it. Each is in one answer only.

use super::people::{checked_label, find};
use super::{App, AppState, Operator, Problem};
use crate::pki::DeviceCertificate;
use crate::pki::pkcs12::Protection;
use crate::profile::{self, Format, KeyMethod, Login, Method, Network};
use crate::secrets::typeable;
use axum::Json;
use axum::extract::Path;
use axum::http::StatusCode;
use base64::Engine;
use policy::people::Phase;
use policy::{Actor, Change, Command, CredentialKind, Reason, SsidSecurity};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use values::{MemberId, Pii, Secret, Timestamp};

/// SSIDs in one profile; a site has one or two.
const SSIDS_MAX: usize = 8;

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(issue_certificate_file)).routes(routes!(write_profile))
}

/// A file that holds a secret, as it is handed out once.
#[derive(Serialize, ToSchema)]
pub struct IssuedFile {
    pub credential_id: String,
    /// The user name, or the name in the certificate.
    pub identity: String,
    /// What the file is protected with; none when it needs no password or holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    pub file_name: String,
    pub media_type: &'static str,
    /// In base64.
    pub content: String,
}

fn base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CertificateFormat {
    /// AES-256 and SHA-256.
    #[default]
    Pkcs12,
    /// 3DES and SHA-1, for devices older than 2016 or so, and Apple's.
    Pkcs12Legacy,
    /// Key, certificate and CA, unprotected.
    Pem,
}

#[derive(Deserialize, ToSchema)]
pub struct NewCertificate {
    #[serde(default)]
    label: Option<String>,
    #[serde(default)]
    format: CertificateFormat,
}

/// Issue a certificate for one device, with its key. Both are in this answer only.
#[utoipa::path(post, path = "/api/members/{member}/device-certificates", params(("member" = String, Path)), request_body = NewCertificate, responses((status = 201, body = IssuedFile), (status = 404, body = Problem), (status = 409, body = Problem)))]
async fn issue_certificate_file(
    app: AppState,
    Operator(actor): Operator,
    Path(member): Path<String>,
    Json(new): Json<NewCertificate>,
) -> Result<(StatusCode, Json<IssuedFile>), Problem> {
    let member = find(&app, &member)?;
    let label = checked_label(new.label, "device")?;
    let (certificate, credential_id) = issue_certificate(&app, actor, member, label).await?;
    let word = typeable(4, 5);
    let pkcs12 = |protection| {
        let bytes = certificate.pkcs12(protection, &Secret::new(word.clone())).map_err(|error| failed(&error))?;
        Ok::<_, Problem>((base64(&bytes), "device.p12", "application/x-pkcs12", Some(word.clone())))
    };
    let (content, file_name, media_type, password) = match new.format {
        CertificateFormat::Pkcs12 => pkcs12(Protection::Modern)?,
        CertificateFormat::Pkcs12Legacy => pkcs12(Protection::Legacy)?,
        CertificateFormat::Pem => {
            (base64(certificate.pem().expose().as_bytes()), "device.pem", "application/x-pem-file", None)
        }
    };
    let file = IssuedFile {
        credential_id,
        identity: certificate.identity,
        password,
        expires_at: Some(certificate.expires_at.0),
        file_name: file_name.to_owned(),
        media_type,
        content,
    };
    Ok((StatusCode::CREATED, Json(file)))
}

fn failed(error: &crate::pki::PkiError) -> Problem {
    let sentence = format!("The certificate could not be made: {error}");
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "certificate-failed", sentence)
}

/// Makes a certificate and has it registered; what is not registered opens nothing.
async fn issue_certificate(
    app: &App,
    actor: Actor,
    member: MemberId,
    label: Pii<String>,
) -> Result<(DeviceCertificate, String), Problem> {
    let (snapshot, now) = (app.shell.registrar.snapshot(), app.shell.clock.now());
    let valid = snapshot.members.get(&member).ok_or(Reason::UnknownMember)?.valid;
    if let Phase::Over { since } = valid.phase(now) {
        let since = policy::schedule::spoken(&snapshot.site.site, since);
        return Err(Reason::MembershipOver { since }.into());
    }
    let (pki, realm) = (Arc::clone(&app.pki), snapshot.site.site.realm.clone());
    let made = tokio::task::spawn_blocking(move || pki.issue_device(&realm, valid.until, now.stamp())).await;
    let stopped = |_| Problem::from(Reason::StorageFailed { what: "the box is stopping".into() });
    let certificate = made.map_err(stopped)?.map_err(|error| failed(&error))?;
    let (fingerprint, expires_at) = (certificate.fingerprint, certificate.expires_at);
    let command = Command::IssueDeviceCertificate { member, label, fingerprint, expires_at };
    let committed = app.shell.registrar.submit(actor, command).await?;
    Ok((certificate, credential_of(&committed.changes)?.0))
}

/// The id and, where it has one, the user name of the credential that was issued.
fn credential_of(changes: &[Change]) -> Result<(String, Option<String>), Problem> {
    let credential = changes.iter().find_map(|change| match change {
        Change::Credential(credential) => Some(credential),
        _ => None,
    });
    let credential = credential.ok_or(Reason::UnknownCredential)?;
    let username = match &credential.kind {
        CredentialKind::WifiKey { username, .. } | CredentialKind::PrintToken { username, .. } => {
            Some(username.clone())
        }
        CredentialKind::Badge { .. }
        | CredentialKind::DeviceCertificate { .. }
        | CredentialKind::WifiPassphrase { .. }
        | CredentialKind::RegisteredDevice { .. } => None,
    };
    Ok((credential.id.to_string(), username))
}

/// A new Wi-Fi key: its credential, the whole user name, the key.
async fn issue_key(
    app: &App,
    actor: Actor,
    member: MemberId,
    label: Pii<String>,
) -> Result<(String, String, Secret<String>), Problem> {
    let password = typeable(4, 5);
    let nt_hash = proto::eap::mschapv2::nt_hash(&password);
    let committed = app.shell.registrar.submit(actor, Command::IssueWifiKey { member, label, nt_hash }).await?;
    let (credential, username) = credential_of(&committed.changes)?;
    let username = format!("{}@{}", username.unwrap_or_default(), committed.snapshot.site.site.realm);
    Ok((credential, username, Secret::new(password)))
}

#[derive(Deserialize, ToSchema)]
pub struct NewProfile {
    format: Format,
    /// How the device logs in; what is best for its kind when left out.
    #[serde(default)]
    method: Option<Method>,
    /// Names on the air; all of the site file's that are `enterprise` when left out.
    #[serde(default)]
    ssids: Vec<String>,
    #[serde(default)]
    label: Option<String>,
}

/// Issue a key or certificate for one device, inside a profile that the device installs.
#[utoipa::path(post, path = "/api/members/{member}/wifi-profiles", params(("member" = String, Path)), request_body = NewProfile, responses((status = 201, body = IssuedFile), (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
async fn write_profile(
    app: AppState,
    Operator(actor): Operator,
    Path(member): Path<String>,
    Json(new): Json<NewProfile>,
) -> Result<(StatusCode, Json<IssuedFile>), Problem> {
    let member = find(&app, &member)?;
    let label = checked_label(new.label, "device")?;
    let wanted = Wanted { format: new.format, method: new.method, ssids: new.ssids, label };
    let made = issue_profile(&app, actor, member, wanted).await?;
    let file = IssuedFile {
        credential_id: made.credential_id,
        identity: made.identity,
        password: None,
        expires_at: made.ends_at.map(|at| at.0),
        file_name: made.file_name.to_owned(),
        media_type: made.media_type,
        content: base64(&made.bytes),
    };
    Ok((StatusCode::CREATED, Json(file)))
}

/// A profile that is asked for.
pub struct Wanted {
    pub format: Format,
    pub method: Option<Method>,
    pub ssids: Vec<String>,
    pub label: Pii<String>,
}

/// A profile that was made.
pub struct MadeProfile {
    pub credential_id: String,
    pub identity: String,
    pub ends_at: Option<Timestamp>,
    pub file_name: &'static str,
    pub media_type: &'static str,
    pub bytes: Vec<u8>,
}

/// Issues what the device logs in with and writes its profile.
///
/// # Errors
/// There is no SSID to write it for, or nothing could be issued.
pub async fn issue_profile(app: &App, actor: Actor, member: MemberId, wanted: Wanted) -> Result<MadeProfile, Problem> {
    let mut network = network_of(app, member, wanted.ssids)?;
    let method = wanted.method.unwrap_or(wanted.format.best_method());
    let (credential_id, login) = match method {
        Method::Tls => {
            let (certificate, id) = issue_certificate(app, actor, member, wanted.label).await?;
            network.ends_at = Some(certificate.expires_at);
            (id, certificate_login(wanted.format, certificate)?)
        }
        Method::Peap | Method::Ttls => {
            let (id, username, password) = issue_key(app, actor, member, wanted.label).await?;
            let method = if method == Method::Peap { KeyMethod::Peap } else { KeyMethod::Ttls };
            (id, Login::Key { method, username, password })
        }
    };
    let written = profile::write(wanted.format, &network, &login);
    let bytes = match wanted.format {
        Format::Apple => app.pki.sign(&written).map_err(|error| failed(&error))?,
        Format::Windows | Format::EapConfig | Format::Onc => written,
    };
    let (Login::Certificate { identity, .. } | Login::Key { username: identity, .. }) = login;
    Ok(MadeProfile {
        credential_id,
        identity,
        ends_at: network.ends_at,
        file_name: wanted.format.file_name(),
        media_type: wanted.format.media_type(),
        bytes,
    })
}

/// The certificate as a profile carries it. The password stands beside it there, so the protection that everything reads is
/// enough; ChromeOS takes none with a password.
fn certificate_login(format: Format, certificate: DeviceCertificate) -> Result<Login, Problem> {
    let password = match format {
        Format::Onc => Secret::new(String::new()),
        Format::Apple | Format::Windows | Format::EapConfig => Secret::new(typeable(4, 5)),
    };
    let pkcs12 = certificate.pkcs12(Protection::Legacy, &password).map_err(|error| failed(&error))?;
    Ok(Login::Certificate { identity: certificate.identity, pkcs12, password })
}

/// What a profile for this member says of the space.
pub(super) fn network_of(app: &App, member: MemberId, asked: Vec<String>) -> Result<Network, Problem> {
    let snapshot = app.shell.registrar.snapshot();
    let site = &snapshot.site;
    let known: Vec<&str> = site.ssids_by(SsidSecurity::Enterprise).collect();
    let ssids = if asked.is_empty() { known.iter().map(|ssid| (*ssid).to_owned()).collect() } else { asked };
    if ssids.is_empty() {
        let sentence = "The site file names no SSID, so there is nothing to write a profile for; add `wifi: {ssids: [{name: ...}]}`.";
        return Err(Problem::new(StatusCode::CONFLICT, "no-ssid", sentence));
    }
    if ssids.len() > SSIDS_MAX || ssids.iter().any(|ssid| !known.contains(&ssid.as_str())) {
        return Err(Problem::invalid("The SSID", &format!("one of {}", known.join(", "))));
    }
    Ok(Network {
        site: site.site.name.clone(),
        realm: site.site.realm.clone(),
        server_name: crate::pki::server_name(&site.site.realm),
        authority: app.pki.authority().clone(),
        ssids,
        ends_at: snapshot.members.get(&member).and_then(|member| member.valid.until),
    })
}

/// What somebody types in who sets a device up by hand: name and value.
///
/// # Errors
/// As [`issue_profile`].
pub async fn issue_manual(
    app: &App,
    actor: Actor,
    member: MemberId,
    label: Pii<String>,
) -> Result<Vec<(&'static str, String)>, Problem> {
    let network = network_of(app, member, Vec::new())?;
    let (_, username, password) = issue_key(app, actor, member, label).await?;
    Ok(vec![
        ("Network", network.ssids.join(", ")),
        ("Method", "PEAP with MSCHAPv2, or TTLS with PAP".into()),
        ("User name", username),
        ("Key", password.expose().clone()),
        ("Anonymous identity", network.outer_identity()),
        ("Server name (domain)", network.server_name),
    ])
}
