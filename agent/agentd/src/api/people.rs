//! Members and what they carry.

use super::{App, AppState, Operator, Problem};
use crate::secrets::typeable;
use axum::Json;
use axum::extract::Path;
use axum::http::StatusCode;
use policy::{Change, Command, Credential, CredentialKind, Member, MemberStatus, Snapshot, Window};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use values::{CredentialId, MemberId, Now, Pii, Timestamp};

/// A Wi-Fi key of an operator's own choosing: not shorter than a WPA passphrase, not longer than PAP carries (RFC 2865 5.2).
const KEY_MIN_CHARS: usize = 8;
const KEY_MAX_BYTES: usize = 128;
const LABEL_MAX_CHARS: usize = 100;

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, add))
        .routes(routes!(show))
        .routes(routes!(suspend))
        .routes(routes!(resume))
        .routes(routes!(end))
        .routes(routes!(change_plan))
        .routes(routes!(issue_wifi_key))
        .routes(routes!(add_badge))
        .routes(routes!(issue_print_token))
        .routes(routes!(credit_print))
        .routes(routes!(revoke))
}

#[derive(Serialize, ToSchema)]
pub struct MemberView {
    pub id: String,
    pub revision: u64,
    pub name: String,
    pub email: String,
    pub plan: String,
    pub team: Option<String>,
    pub status: StatusView,
    pub valid: WindowView,
    pub added_at: i64,
    /// Devices on the Wi-Fi now.
    pub online: usize,
    pub print: PrintView,
    pub credentials: Vec<CredentialView>,
}

#[derive(Serialize, ToSchema)]
pub struct StatusView {
    /// `active`, `suspended` or `ended`.
    pub state: &'static str,
    pub since: Option<i64>,
}

#[derive(Serialize, ToSchema)]
pub struct WindowView {
    pub from: Option<i64>,
    pub until: Option<i64>,
}

#[derive(Serialize, ToSchema)]
pub struct PrintView {
    pub month: String,
    pub included_pages: u32,
    pub settled_pages: u32,
    pub reserved_pages: u32,
    pub credit_minor: i64,
}

#[derive(Serialize, ToSchema)]
pub struct CredentialView {
    pub id: String,
    /// `wifi-key`, `badge`, `print-token`, `device-certificate`, `wifi-passphrase` or `registered-device`.
    pub kind: &'static str,
    pub label: String,
    pub username: Option<String>,
    /// The device's address, where the credential is of that device alone.
    pub mac: Option<String>,
    pub issued_at: i64,
    pub revoked_at: Option<i64>,
}

#[derive(Serialize, ToSchema)]
pub struct Members {
    members: Vec<MemberView>,
}

fn credential_view(credential: &Credential) -> CredentialView {
    let username = match &credential.kind {
        CredentialKind::WifiKey { username, .. } | CredentialKind::PrintToken { username, .. } => {
            Some(username.clone())
        }
        CredentialKind::Badge { .. }
        | CredentialKind::DeviceCertificate { .. }
        | CredentialKind::WifiPassphrase { .. }
        | CredentialKind::RegisteredDevice { .. } => None,
    };
    let mac = match &credential.kind {
        CredentialKind::WifiPassphrase { mac, .. } => mac.map(|mac| mac.to_string()),
        CredentialKind::RegisteredDevice { mac } => Some(mac.to_string()),
        CredentialKind::WifiKey { .. }
        | CredentialKind::PrintToken { .. }
        | CredentialKind::Badge { .. }
        | CredentialKind::DeviceCertificate { .. } => None,
    };
    CredentialView {
        id: credential.id.to_string(),
        kind: credential.kind.word(),
        label: credential.label.0.clone(),
        username,
        mac,
        issued_at: credential.issued_at.0,
        revoked_at: credential.revoked_at.map(|at| at.0),
    }
}

fn member_view(
    snapshot: &Snapshot,
    member: &Member,
    credentials: Vec<CredentialView>,
    online: usize,
    now: Now,
) -> MemberView {
    let account = policy::print::account(snapshot, member.id, now);
    let included =
        snapshot.plan_of(member).and_then(|plan| plan.print.as_ref()).map_or(0, |print| print.included_pages);
    let (state, since) = match member.status {
        MemberStatus::Active => ("active", None),
        MemberStatus::Suspended { since } => ("suspended", Some(since.0)),
        MemberStatus::Ended { at } => ("ended", Some(at.0)),
    };
    MemberView {
        id: member.id.to_string(),
        revision: member.revision,
        name: member.name.0.clone(),
        email: member.email.0.clone(),
        plan: member.plan.to_string(),
        team: member.team.and_then(|team| snapshot.teams.get(&team)).map(|team| team.name.clone()),
        status: StatusView { state, since },
        valid: WindowView { from: member.valid.from.map(|at| at.0), until: member.valid.until.map(|at| at.0) },
        added_at: member.added_at.0,
        online,
        print: PrintView {
            month: account.month,
            included_pages: included,
            settled_pages: account.settled_pages,
            reserved_pages: account.reserved_pages,
            credit_minor: account.credit_minor,
        },
        credentials,
    }
}

/// One member with everything, from the newest snapshot.
async fn view(app: &App, id: MemberId) -> Result<MemberView, Problem> {
    let snapshot = app.shell.registrar.snapshot();
    let member = snapshot.members.get(&id).ok_or(policy::Reason::UnknownMember)?;
    let mut credentials: Vec<_> = snapshot.credentials_of(id).map(credential_view).collect();
    credentials.sort_by_key(|credential| std::cmp::Reverse(credential.issued_at));
    let online = app.wifi.online_of(id).await;
    Ok(member_view(&snapshot, member, credentials, online, app.shell.clock.now()))
}

/// A member by id, e-mail address or name.
pub fn find(app: &App, text: &str) -> Result<MemberId, Problem> {
    Ok(app.shell.registrar.snapshot().find_member(text)?.id)
}

/// All members, in the order of their names.
#[utoipa::path(get, path = "/api/members", responses((status = 200, body = Members)))]
async fn list(app: AppState, _operator: Operator) -> Json<Members> {
    let snapshot = app.shell.registrar.snapshot();
    let now = app.shell.clock.now();
    let mut credentials: HashMap<MemberId, Vec<CredentialView>> = HashMap::new();
    for credential in snapshot.credentials.values() {
        credentials.entry(credential.member).or_default().push(credential_view(credential));
    }
    let online = app.wifi.online_by_member().await;
    let mut members: Vec<_> = snapshot
        .members
        .values()
        .map(|member| {
            let credentials = credentials.remove(&member.id).unwrap_or_default();
            member_view(&snapshot, member, credentials, online.get(&member.id).copied().unwrap_or(0), now)
        })
        .collect();
    members.sort_by_cached_key(|member| member.name.to_lowercase());
    Json(Members { members })
}

#[derive(Deserialize, ToSchema)]
pub struct NewMember {
    name: String,
    email: String,
    plan: String,
    #[serde(default)]
    team: Option<String>,
    #[serde(default)]
    valid_from: Option<i64>,
    #[serde(default)]
    valid_until: Option<i64>,
}

/// Add a member.
#[utoipa::path(post, path = "/api/members", request_body = NewMember, responses((status = 201, body = MemberView), (status = 409, body = Problem), (status = 422, body = Problem)))]
async fn add(
    app: AppState,
    Operator(actor): Operator,
    Json(new): Json<NewMember>,
) -> Result<(StatusCode, Json<MemberView>), Problem> {
    let plan = new.plan.parse().map_err(|_| policy::Reason::UnknownPlan { plan: new.plan.clone() })?;
    let command = Command::AddMember {
        name: Pii(new.name),
        email: Pii(new.email),
        plan,
        team: new.team.filter(|team| !team.trim().is_empty()),
        valid: Window { from: new.valid_from.map(Timestamp), until: new.valid_until.map(Timestamp) },
    };
    let committed = app.shell.registrar.submit(actor, command).await?;
    let id = committed.changes.iter().find_map(|change| match change {
        Change::Member(member) => Some(member.id),
        _ => None,
    });
    Ok((StatusCode::CREATED, Json(view(&app, id.ok_or(policy::Reason::UnknownMember)?).await?)))
}

/// One member; `member` is an id, an e-mail address or a name.
#[utoipa::path(get, path = "/api/members/{member}", params(("member" = String, Path)), responses((status = 200, body = MemberView), (status = 404, body = Problem)))]
async fn show(app: AppState, _operator: Operator, Path(member): Path<String>) -> Result<Json<MemberView>, Problem> {
    Ok(Json(view(&app, find(&app, &member)?).await?))
}

/// Submits a command about one member and shows the member after it.
async fn change(
    app: &App,
    actor: policy::Actor,
    member: &str,
    command: impl FnOnce(MemberId) -> Command,
) -> Result<Json<MemberView>, Problem> {
    let id = find(app, member)?;
    app.shell.registrar.submit(actor, command(id)).await?;
    Ok(Json(view(app, id).await?))
}

/// Shut a member out of Wi-Fi, printing and doors until resumed.
#[utoipa::path(post, path = "/api/members/{member}/suspend", params(("member" = String, Path)), responses((status = 200, body = MemberView), (status = 409, body = Problem)))]
async fn suspend(
    app: AppState,
    Operator(actor): Operator,
    Path(member): Path<String>,
) -> Result<Json<MemberView>, Problem> {
    change(&app, actor, &member, |member| Command::SuspendMember { member }).await
}

/// Let a suspended member in again.
#[utoipa::path(post, path = "/api/members/{member}/resume", params(("member" = String, Path)), responses((status = 200, body = MemberView), (status = 409, body = Problem)))]
async fn resume(
    app: AppState,
    Operator(actor): Operator,
    Path(member): Path<String>,
) -> Result<Json<MemberView>, Problem> {
    change(&app, actor, &member, |member| Command::ResumeMember { member }).await
}

#[derive(Deserialize, ToSchema)]
pub struct NewPlan {
    plan: String,
}

/// Give a member another plan; devices that are online go on by it.
#[utoipa::path(post, path = "/api/members/{member}/plan", params(("member" = String, Path)), request_body = NewPlan, responses((status = 200, body = MemberView), (status = 409, body = Problem), (status = 422, body = Problem)))]
async fn change_plan(
    app: AppState,
    Operator(actor): Operator,
    Path(member): Path<String>,
    Json(new): Json<NewPlan>,
) -> Result<Json<MemberView>, Problem> {
    let plan = new.plan.parse().map_err(|_| policy::Reason::UnknownPlan { plan: new.plan.clone() })?;
    change(&app, actor, &member, |member| Command::ChangePlan { member, plan }).await
}

/// End a membership for good.
#[utoipa::path(post, path = "/api/members/{member}/end", params(("member" = String, Path)), responses((status = 200, body = MemberView), (status = 409, body = Problem)))]
async fn end(
    app: AppState,
    Operator(actor): Operator,
    Path(member): Path<String>,
) -> Result<Json<MemberView>, Problem> {
    change(&app, actor, &member, |member| Command::EndMember { member }).await
}

#[derive(Deserialize, ToSchema)]
pub struct NewWifiKey {
    #[serde(default)]
    label: Option<String>,
    /// An operator's own choice; without it the key is generated, which is safer.
    #[serde(default)]
    password: Option<String>,
}

/// A credential as it is shown once.
#[derive(Serialize, ToSchema)]
pub struct Issued {
    pub credential_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// Where to print with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub uris: Vec<String>,
    /// The networks that a passphrase is for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ssids: Vec<String>,
}

pub(super) fn issued(changes: &[Change], realm: &str, password: Option<String>) -> Result<Issued, Problem> {
    let credential = changes.iter().find_map(|change| match change {
        Change::Credential(credential) => Some(credential_view(credential)),
        _ => None,
    });
    let credential = credential.ok_or(policy::Reason::UnknownCredential)?;
    let username = credential.username.map(|username| match credential.kind {
        "wifi-key" => format!("{username}@{realm}"),
        _ => username,
    });
    Ok(Issued { credential_id: credential.id, username, password, uris: Vec::new(), ssids: Vec::new() })
}

/// What a device or badge is called.
pub(super) fn checked_label(label: Option<String>, fallback: &str) -> Result<Pii<String>, Problem> {
    let label = label.filter(|label| !label.trim().is_empty()).unwrap_or_else(|| fallback.to_owned());
    if label.chars().count() <= LABEL_MAX_CHARS && !label.chars().any(char::is_control) {
        Ok(Pii(label.trim().to_owned()))
    } else {
        Err(Problem::invalid("The label", &format!("at most {LABEL_MAX_CHARS} characters without control characters")))
    }
}

/// Issue a Wi-Fi key for one device. The key is shown in this answer only.
#[utoipa::path(post, path = "/api/members/{member}/wifi-keys", params(("member" = String, Path)), request_body = NewWifiKey, responses((status = 201, body = Issued), (status = 409, body = Problem)))]
async fn issue_wifi_key(
    app: AppState,
    Operator(actor): Operator,
    Path(member): Path<String>,
    Json(new): Json<NewWifiKey>,
) -> Result<(StatusCode, Json<Issued>), Problem> {
    let member = find(&app, &member)?;
    let label = checked_label(new.label, "device")?;
    let password = match new.password {
        None => typeable(4, 5),
        Some(password) => {
            if !is_wifi_key(&password) {
                let expected =
                    format!("at least {KEY_MIN_CHARS} characters, in at most {KEY_MAX_BYTES} bytes of UTF-8");
                return Err(Problem::invalid("The Wi-Fi key", &expected));
            }
            password
        }
    };
    let nt_hash = proto::eap::mschapv2::nt_hash(&password);
    let committed = app.shell.registrar.submit(actor, Command::IssueWifiKey { member, label, nt_hash }).await?;
    let realm = &committed.snapshot.site.site.realm;
    Ok((StatusCode::CREATED, Json(issued(&committed.changes, realm, Some(password))?)))
}

fn is_wifi_key(text: &str) -> bool {
    text.chars().count() >= KEY_MIN_CHARS && text.len() <= KEY_MAX_BYTES && !text.chars().any(char::is_control)
}

#[derive(Deserialize, ToSchema)]
pub struct NewBadge {
    uid: String,
    #[serde(default)]
    label: Option<String>,
}

/// Add a badge by its UID.
#[utoipa::path(post, path = "/api/members/{member}/badges", params(("member" = String, Path)), request_body = NewBadge, responses((status = 201, body = Issued), (status = 409, body = Problem), (status = 422, body = Problem)))]
async fn add_badge(
    app: AppState,
    Operator(actor): Operator,
    Path(member): Path<String>,
    Json(new): Json<NewBadge>,
) -> Result<(StatusCode, Json<Issued>), Problem> {
    let member = find(&app, &member)?;
    let label = checked_label(new.label, "badge")?;
    let committed = app.shell.registrar.submit(actor, Command::AddBadge { member, uid: Pii(new.uid), label }).await?;
    Ok((StatusCode::CREATED, Json(issued(&committed.changes, "", None)?)))
}

/// Issue a user name and token for printing from a device that cannot use the Wi-Fi key.
#[utoipa::path(post, path = "/api/members/{member}/print-token", params(("member" = String, Path)), responses((status = 201, body = Issued), (status = 409, body = Problem)))]
async fn issue_print_token(
    app: AppState,
    Operator(actor): Operator,
    Path(member): Path<String>,
) -> Result<(StatusCode, Json<Issued>), Problem> {
    let member = find(&app, &member)?;
    let password = typeable(5, 6);
    let sha256 = Sha256::digest(password.as_bytes()).into();
    let committed = app.shell.registrar.submit(actor, Command::IssuePrintToken { member, sha256 }).await?;
    let mut issued = issued(&committed.changes, "", Some(password))?;
    let realm = &committed.snapshot.site.site.realm;
    issued.uris = committed
        .snapshot
        .site
        .printers
        .keys()
        .map(|name| format!("ipps://doorpost.{realm}/ipp/print/{name}"))
        .collect();
    Ok((StatusCode::CREATED, Json(issued)))
}

#[derive(Deserialize, ToSchema)]
pub struct PrintCredit {
    /// Hundredths of the site's currency.
    amount_minor: i64,
}

/// Add print credit; held jobs that it pays for are released.
#[utoipa::path(post, path = "/api/members/{member}/print-credit", params(("member" = String, Path)), request_body = PrintCredit, responses((status = 200, body = MemberView), (status = 422, body = Problem)))]
async fn credit_print(
    app: AppState,
    Operator(actor): Operator,
    Path(member): Path<String>,
    Json(credit): Json<PrintCredit>,
) -> Result<Json<MemberView>, Problem> {
    change(&app, actor, &member, |member| Command::CreditPrint { member, amount_minor: credit.amount_minor }).await
}

/// Revoke one credential, now.
#[utoipa::path(post, path = "/api/credentials/{credential}/revoke", params(("credential" = String, Path)), responses((status = 200, body = CredentialView), (status = 404, body = Problem), (status = 409, body = Problem)))]
async fn revoke(
    app: AppState,
    Operator(actor): Operator,
    Path(credential): Path<String>,
) -> Result<Json<CredentialView>, Problem> {
    let id: CredentialId = credential.parse().map_err(|_| policy::Reason::UnknownCredential)?;
    let committed = app.shell.registrar.submit(actor, Command::RevokeCredential { credential: id }).await?;
    let credential = committed.snapshot.credentials.get(&id).ok_or(policy::Reason::UnknownCredential)?;
    Ok(Json(credential_view(credential)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wifi_key_fits_the_password_that_pap_carries() {
        for (key, fits) in
            [("x".repeat(7), false), ("x".repeat(8), true), ("x".repeat(128), true), ("ø".repeat(65), false)]
        {
            assert_eq!(is_wifi_key(&key), fits, "{} bytes", key.len());
        }
        assert!(!is_wifi_key("with\ttab"));
    }
}
