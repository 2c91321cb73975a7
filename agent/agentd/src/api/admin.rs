//! The box itself: its state, claiming it, signing in and out, health and metrics.

use super::guard::{Caller, Peer};
use super::{App, AppState, Operator, Problem};
use crate::secrets::{PasswordDesk, typeable};
use axum::Json;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use policy::wifi::{VlanState, vlan_state};
use policy::{Command, MessageAuthenticatorRule, Snapshot};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::Write;
use std::num::NonZeroU32;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use subtle::ConstantTimeEq;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use values::{Now, Secret};

/// NIST SP 800-63B asks for 8; this password opens doors.
const PASSWORD_MIN_CHARS: usize = 12;
const PASSWORD_MAX_CHARS: usize = 256;
/// Codes or passwords that one address may try: five at once, then one a minute. Each address has its own, so that a stranger
/// who tries all day shuts nobody else out.
const TRIES_BURST: u32 = 5;
const TRIES_PERIOD: Duration = Duration::from_secs(60);
/// Addresses told apart; a house of 5,000 devices has as many, and those that have waited their time are forgotten.
const TRIERS_MAX: usize = 8_192;

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(status))
        .routes(routes!(claim))
        .routes(routes!(login))
        .routes(routes!(logout))
        .routes(routes!(reset))
        .routes(routes!(livez))
        .routes(routes!(readyz))
        .routes(routes!(metrics))
}

/// Where the box is claimed and administrators sign in.
pub struct Door {
    file: PathBuf,
    code: Mutex<Option<Secret<String>>>,
    passwords: PasswordDesk,
    tries: DefaultKeyedRateLimiter<Peer>,
}

impl Door {
    /// Shows a claim code in DATA/claim-code while the box is unclaimed; the code of an earlier start is kept.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn open(data: &Path, claimed: bool) -> std::io::Result<Self> {
        let period = Quota::with_period(TRIES_PERIOD).expect("the period is not zero");
        let burst = NonZeroU32::new(TRIES_BURST).expect("the burst is not zero");
        let door = Self {
            file: data.join("claim-code"),
            code: Mutex::new(None),
            passwords: PasswordDesk::default(),
            tries: RateLimiter::keyed(period.allow_burst(burst)),
        };
        if claimed {
            door.forget_code();
        } else {
            door.show_code()?;
        }
        Ok(door)
    }

    /// The code to show on the console; none once the box is claimed.
    #[must_use]
    pub fn code(&self) -> Option<Secret<String>> {
        self.code.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn show_code(&self) -> std::io::Result<()> {
        let code = match fs::read_to_string(&self.file) {
            Ok(code) if code.trim().len() == 19 => code.trim().to_owned(),
            _ => {
                let code = typeable(4, 4);
                let mut file =
                    fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&self.file)?;
                writeln!(file, "{code}")?;
                file.sync_all()?;
                code
            }
        };
        *self.code.lock().unwrap_or_else(PoisonError::into_inner) = Some(Secret::new(code));
        Ok(())
    }

    fn forget_code(&self) {
        *self.code.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let _ = fs::remove_file(&self.file); // it opens nothing any more
    }

    fn fits(&self, code: &str) -> bool {
        let code: String = code.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
        self.code().is_some_and(|shown| {
            let shown: String = shown.expose().chars().filter(char::is_ascii_alphanumeric).collect();
            shown.as_bytes().ct_eq(code.as_bytes()).into()
        })
    }

    fn try_once(&self, peer: Peer) -> Result<(), Problem> {
        if self.tries.len() >= TRIERS_MAX {
            self.tries.retain_recent();
        }
        let may = self.tries.len() < TRIERS_MAX && self.tries.check_key(&peer).is_ok();
        let refusal = || {
            Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too-many-tries",
                "Too many tries; wait a minute and try again.",
            )
        };
        may.then_some(()).ok_or_else(refusal)
    }
}

/// What anybody may know, and what an operator sees besides.
#[derive(Serialize, ToSchema)]
pub struct Status {
    pub name: String,
    pub version: &'static str,
    pub claimed: bool,
    pub signed_in: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<Details>,
}

#[derive(Serialize, ToSchema)]
pub struct Details {
    pub realm: String,
    pub time_zone: String,
    pub currency: String,
    pub now: i64,
    pub time_trusted: bool,
    pub generation: u64,
    pub members: usize,
    pub online: usize,
    pub events_dropped: u64,
    /// Rows of history that were removed before their time, because it had all the room that it may take.
    pub events_forgotten: u64,
    /// What stands open in the site file that an operator should know of, in sentences.
    pub warnings: Vec<String>,
    /// Only over the unix socket of an unclaimed box.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim_code: Option<String>,
}

/// The state of the box.
#[utoipa::path(get, path = "/api/status", responses((status = 200, body = Status)))]
async fn status(app: AppState, caller: Caller) -> Json<Status> {
    let snapshot = app.shell.registrar.snapshot();
    let site = &snapshot.site.site;
    let signed_in = caller != Caller::Nobody;
    let details = if signed_in {
        let now = app.shell.clock.now();
        Some(Details {
            realm: site.realm.clone(),
            time_zone: site.time_zone.iana_name().unwrap_or("UTC").to_owned(),
            currency: site.currency.clone(),
            now: now.stamp().0,
            time_trusted: now.is_trusted(),
            generation: snapshot.generation,
            members: snapshot.members.len(),
            online: app.wifi.online().await,
            events_dropped: app.shell.store.events_dropped(),
            events_forgotten: app.shell.store.events_forgotten(),
            warnings: warnings(&snapshot, now)
                .into_iter()
                .chain(history_warning(app.shell.store.events_forgotten()))
                .collect(),
            claim_code: (caller == Caller::Console)
                .then(|| app.claim.code().map(|code| code.expose().clone()))
                .flatten(),
        })
    } else {
        None
    };
    Json(Status {
        name: site.name.clone(),
        version: env!("CARGO_PKG_VERSION"),
        claimed: snapshot.admin.is_some(),
        signed_in,
        details,
    })
}

fn history_warning(forgotten: u64) -> Option<String> {
    let sentence = || {
        format!(
            "The history has all the room that it may take: {forgotten} of its oldest rows were removed before their time. Look at what fills it: doorpost events."
        )
    };
    (forgotten > 0).then(sentence)
}

/// Exceptions that somebody made and may have forgotten, and VLANs that wait for their test.
fn warnings(snapshot: &Snapshot, now: Now) -> Vec<String> {
    let points = snapshot.site.access_points.values();
    let excused =
        points.filter(|point| point.message_authenticator == MessageAuthenticatorRule::Optional).map(|point| {
            format!(
                "The access point `{}` is excused from Message-Authenticator: its requests can be forged.",
                point.name
            )
        });
    let networks = snapshot.site.networks.values();
    let withheld = networks.filter_map(|network| match vlan_state(snapshot, network, now) {
        VlanState::Untested { vlan } => {
            Some(format!("VLAN {vlan} of the network `{0}` is not used: doorpost wifi test {0}.", network.name))
        }
        VlanState::Flat | VlanState::Testing { .. } | VlanState::Tested { .. } => None,
    });
    excused.chain(withheld).collect()
}

#[derive(Deserialize, ToSchema)]
pub struct Claim {
    code: String,
    password: String,
}

/// Claim the box with the code it shows.
#[utoipa::path(post, path = "/api/claim", request_body = Claim, responses((status = 204), (status = 403, body = Problem), (status = 409, body = Problem), (status = 429, body = Problem)))]
async fn claim(app: AppState, peer: Peer, Json(claim): Json<Claim>) -> Result<Response, Problem> {
    if app.shell.registrar.snapshot().admin.is_some() {
        return Err(policy::Reason::AlreadyClaimed.into());
    }
    app.claim.try_once(peer)?;
    if !app.claim.fits(&claim.code) {
        return Err(Problem::new(StatusCode::FORBIDDEN, "wrong-code", "This is not the code that the box shows."));
    }
    let password = checked_password(claim.password)?;
    let password_phc = app.claim.passwords.hash(password).await.map_err(|_| too_busy())?;
    app.shell.registrar.submit(policy::Actor::Admin, Command::Claim { password_phc }).await?;
    app.claim.forget_code();
    Ok(signed_in(&app))
}

#[derive(Deserialize, ToSchema)]
pub struct Login {
    password: String,
}

/// Sign in.
#[utoipa::path(post, path = "/api/login", request_body = Login, responses((status = 204), (status = 403, body = Problem), (status = 429, body = Problem)))]
async fn login(app: AppState, peer: Peer, Json(login): Json<Login>) -> Result<Response, Problem> {
    app.claim.try_once(peer)?;
    let phc = app.shell.registrar.snapshot().admin.clone().ok_or(policy::Reason::NotClaimed)?;
    let fits = app.claim.passwords.verify(Secret::new(login.password), phc.clone()).await.map_err(|_| too_busy())?;
    // The password may have been reset while it was being compared, and all sessions ended.
    if !fits || app.shell.registrar.snapshot().admin.as_ref() != Some(&phc) {
        return Err(Problem::new(StatusCode::FORBIDDEN, "wrong-password", "The password is wrong."));
    }
    Ok(signed_in(&app))
}

/// Sign out.
#[utoipa::path(post, path = "/api/logout", responses((status = 204)))]
async fn logout(app: AppState, headers: HeaderMap) -> Response {
    (StatusCode::NO_CONTENT, [(header::SET_COOKIE, app.sessions.end(&headers))]).into_response()
}

#[derive(Serialize, ToSchema)]
pub struct Reset {
    claim_code: String,
}

/// Forget the administrator's password; only over the unix socket.
#[utoipa::path(post, path = "/api/admin/reset", responses((status = 200, body = Reset)))]
async fn reset(app: AppState, caller: Caller) -> Result<Json<Reset>, Problem> {
    if caller != Caller::Console {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "console-only",
            "This is done at the box: doorpost admin reset.",
        ));
    }
    app.shell.registrar.submit(policy::Actor::Console, Command::ResetAdmin).await?;
    app.sessions.end_all();
    app.claim.show_code().map_err(|error| policy::Reason::StorageFailed { what: error.to_string() })?;
    let code = app.claim.code().map(|code| code.expose().clone()).unwrap_or_default();
    Ok(Json(Reset { claim_code: code }))
}

fn signed_in(app: &App) -> Response {
    (StatusCode::NO_CONTENT, [(header::SET_COOKIE, app.sessions.begin(app.shell.clock.mono()))]).into_response()
}

fn checked_password(password: String) -> Result<Secret<String>, Problem> {
    let chars = password.chars().count();
    let password = Secret::new(password);
    if (PASSWORD_MIN_CHARS..=PASSWORD_MAX_CHARS).contains(&chars) {
        Ok(password)
    } else {
        Err(Problem::invalid("The password", &format!("{PASSWORD_MIN_CHARS} to {PASSWORD_MAX_CHARS} characters")))
    }
}

fn too_busy() -> Problem {
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "busy", "Too many sign-ins at once; try again in a moment.")
}

/// The process answers.
#[utoipa::path(get, path = "/livez", responses((status = 200, body = String)))]
async fn livez() -> &'static str {
    "ok\n"
}

#[derive(Serialize, ToSchema)]
pub struct Readiness {
    ready: bool,
    components: std::collections::BTreeMap<&'static str, &'static str>,
}

/// The box does its work: logins, printing, doors, and writing things down.
#[utoipa::path(get, path = "/readyz", responses((status = 200, body = Readiness), (status = 503, body = Readiness)))]
async fn readyz(app: AppState) -> (StatusCode, Json<Readiness>) {
    let components = app.probe.components(&app).await;
    let ready = components.values().all(|state| *state == "ok");
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready, components }))
}

/// Prometheus text format.
#[utoipa::path(get, path = "/metrics", responses((status = 200, body = String)))]
async fn metrics(app: AppState, _operator: Operator) -> Response {
    let text = crate::probe::metrics(&app).await;
    ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_who_tries_all_day_shuts_nobody_else_out() {
        let data = tempfile::tempdir().expect("a temporary folder");
        let door = Door::open(data.path(), false).expect("a claim code");
        let peer = |last: u8| Peer::at(std::net::Ipv4Addr::new(10, 0, 0, last).into());
        let tries = (0..20).filter(|_| door.try_once(peer(66)).is_ok()).count();
        assert_eq!(tries, TRIES_BURST as usize);
        assert!(door.try_once(peer(1)).is_ok(), "the operator");
    }
}
