//! Who calls: nobody, the administrator with a session cookie, or the console over the unix socket. Also what a browser must
//! show before it may change anything, and which host names lead here.

use super::{App, Problem};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use policy::Actor;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use values::{Entropy, Mono};

/// OWASP ASVS 7.3: a session that nobody uses ends after half an hour, any session after half a day.
const IDLE_MAX: Duration = Duration::from_secs(30 * 60);
const AGE_MAX: Duration = Duration::from_secs(12 * 60 * 60);
/// Browsers signed in at the same time; the oldest gives way.
const SESSIONS_MAX: usize = 64;
/// From the first octet of a request's body to its answer. The slowest is a door whose relay is asked twice; a client that
/// sends a body drop by drop must not hold a place for ever.
const REQUEST_MAX: Duration = Duration::from_secs(30);
/// What one household or host can make up addresses in (RFC 4291 2.5.4).
const IPV6_NETWORK: u128 = u128::MAX << 64;
const COOKIE: &str = "__Host-doorpost";

/// Who sent this request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    Nobody,
    Admin,
    Console,
}

/// Where a request came from, as far as limits tell addresses apart; unspecified over the unix socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Peer(pub IpAddr);

impl Default for Peer {
    fn default() -> Self {
        Self(Ipv4Addr::UNSPECIFIED.into())
    }
}

impl Peer {
    /// An IPv4 address, or the first 64 bits of an IPv6 address.
    #[must_use]
    pub fn at(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self(v4.into()),
            IpAddr::V6(v6) => Self(Ipv6Addr::from_bits(v6.to_bits() & IPV6_NETWORK).into()),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Peer {
    type Rejection = std::convert::Infallible;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().copied().unwrap_or_default())
    }
}

/// A caller who may operate the box; extracting it refuses everybody else.
#[derive(Clone, Copy, Debug)]
pub struct Operator(pub Actor);

impl<S: Sync> FromRequestParts<S> for Operator {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match parts.extensions.get::<Caller>() {
            Some(Caller::Admin) => Ok(Self(Actor::Admin)),
            Some(Caller::Console) => Ok(Self(Actor::Console)),
            Some(Caller::Nobody) | None => {
                Err(Problem::new(StatusCode::UNAUTHORIZED, "not-signed-in", "Sign in first."))
            }
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = std::convert::Infallible;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().copied().unwrap_or(Self::Nobody))
    }
}

/// Signed-in browsers, by the hash of their token. In memory: a restart signs everybody out.
#[derive(Default)]
pub struct Sessions(Mutex<HashMap<[u8; 32], Session>>);

struct Session {
    began: Mono,
    seen: Mono,
}

impl Sessions {
    /// A new session and the `Set-Cookie` value for it.
    pub fn begin(&self, now: Mono) -> String {
        let token: [u8; 32] = (&mut host::OsEntropy as &mut dyn Entropy).bytes();
        let token = crate::secrets::hex(&token);
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sessions.len() >= SESSIONS_MAX
            && let Some(oldest) = sessions.iter().min_by_key(|(_, session)| session.seen).map(|(key, _)| *key)
        {
            sessions.remove(&oldest);
        }
        sessions.insert(Sha256::digest(token.as_bytes()).into(), Session { began: now, seen: now });
        format!("{COOKIE}={token}; Path=/; Secure; HttpOnly; SameSite=Strict")
    }

    /// Ends the session of this cookie and returns the `Set-Cookie` value that makes the browser forget it.
    pub fn end(&self, headers: &HeaderMap) -> String {
        if let Some(key) = key_of(headers) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
        }
        format!("{COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0")
    }

    /// Signs every browser out.
    pub fn end_all(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Whether the session of this cookie still stands; looking does not count as using it.
    pub fn stands(&self, headers: &HeaderMap, now: Mono) -> bool {
        let sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        key_of(headers).and_then(|key| sessions.get(&key)).is_some_and(|session| session.stands(now))
    }

    fn is_live(&self, headers: &HeaderMap, now: Mono) -> bool {
        let Some(key) = key_of(headers) else { return false };
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, session| session.stands(now));
        match sessions.get_mut(&key) {
            Some(session) => {
                session.seen = now;
                true
            }
            None => false,
        }
    }
}

impl Session {
    fn stands(&self, now: Mono) -> bool {
        now.since(self.seen) < IDLE_MAX && now.since(self.began) < AGE_MAX
    }
}

/// The look-up key of the cookie's token. Hashing first makes the time of the look-up tell nothing about the token.
fn key_of(headers: &HeaderMap) -> Option<[u8; 32]> {
    let cookies = headers.get(header::COOKIE)?.to_str().ok()?;
    let token = cookies.split(';').find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))?;
    Some(Sha256::digest(token.as_bytes()).into())
}

/// The layer of the HTTPS listener.
pub async fn browser(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    if let Err(problem) = check_host(request.headers(), &app.shell.registrar.snapshot().site.site.realm) {
        return problem.into_response();
    }
    if let Err(problem) = check_origin(request.method(), request.headers()) {
        return problem.into_response();
    }
    let caller =
        if app.sessions.is_live(request.headers(), app.shell.clock.mono()) { Caller::Admin } else { Caller::Nobody };
    request.extensions_mut().insert(caller);
    let too_slow = |_| {
        Problem::new(StatusCode::REQUEST_TIMEOUT, "too-slow", "The request took too long; send it again.")
            .into_response()
    };
    tokio::time::timeout(REQUEST_MAX, next.run(request)).await.unwrap_or_else(too_slow)
}

/// The layer of the unix socket: whoever may open it is trusted, which its mode (0600) and folder see to.
pub async fn console(mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(Caller::Console);
    next.run(request).await
}

/// A page of another site whose name was re-bound to this box's address sends that name: it is refused.
fn check_host(headers: &HeaderMap, realm: &str) -> Result<(), Problem> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    let is_ours = name.parse::<IpAddr>().is_ok()
        || name == "localhost"
        || name.strip_suffix(".local").is_some_and(|label| !label.is_empty())
        || name.strip_suffix(realm).is_some_and(|label| label.is_empty() || label.ends_with('.'));
    if is_ours {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::MISDIRECTED_REQUEST,
        "unknown-host",
        format!("This box answers to its address, to names under {realm} and to .local names."),
    ))
}

/// A request that changes something must come from our own page, or from a client that is no browser.
fn check_origin(method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let same = match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => {
            let host = text("host").unwrap_or_default();
            origin.strip_prefix("https://").is_some_and(|origin| origin == host)
        }
        (None, None) => true,
    };
    if same {
        return Ok(());
    }
    Err(Problem::new(StatusCode::FORBIDDEN, "cross-site", "A page of another site may not change anything here."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value"))).collect()
    }

    #[test]
    fn a_rebound_name_is_refused_and_ours_are_not() {
        for (host, ours) in [
            ("192.168.1.10", true),
            ("192.168.1.10:8443", true),
            ("[::1]:8443", true),
            ("localhost:8443", true),
            ("doorpost.local", true),
            ("doorpost.harbour.example", true),
            ("evil.example", false),
            ("evilharbour.example", false),
            ("harbour.example.evil.example", false),
            ("", false),
        ] {
            assert_eq!(check_host(&headers(&[("host", host)]), "harbour.example").is_ok(), ours, "{host}");
        }
    }

    #[test]
    fn only_our_own_page_may_change_things() {
        for (pairs, fine) in [
            (vec![("sec-fetch-site", "same-origin")], true),
            (vec![("sec-fetch-site", "cross-site")], false),
            (vec![("sec-fetch-site", "same-site")], false),
            (vec![("origin", "https://box:8443"), ("host", "box:8443")], true),
            (vec![("origin", "https://evil"), ("host", "box:8443")], false),
            (vec![], true),
        ] {
            assert_eq!(check_origin(&Method::POST, &headers(&pairs)).is_ok(), fine, "{pairs:?}");
        }
    }

    #[test]
    fn a_host_that_makes_up_addresses_is_one_peer() {
        let peer = |text: &str| Peer::at(text.parse().expect("an address"));
        assert_eq!(peer("fd00:1:2:3::1"), peer("fd00:1:2:3:ffff::9"));
        assert_ne!(peer("fd00:1:2:3::1"), peer("fd00:1:2:4::1"));
        assert_eq!(peer("::ffff:10.0.0.5"), peer("10.0.0.5"));
        assert_ne!(peer("10.0.0.4"), peer("10.0.0.5"));
    }

    #[test]
    fn a_session_ends_when_it_is_idle_or_old() {
        let sessions = Sessions::default();
        let cookie = sessions.begin(Mono(0));
        let token = headers(&[("cookie", cookie.split(';').next().expect("the pair"))]);
        assert!(sessions.is_live(&token, Mono(29 * 60_000)));
        assert!(!sessions.is_live(&token, Mono(60 * 60_000)), "idle");
        let cookie = sessions.begin(Mono(0));
        let token = headers(&[("cookie", cookie.split(';').next().expect("the pair"))]);
        for minute in (0..719).step_by(20) {
            assert!(sessions.is_live(&token, Mono(minute * 60_000)));
        }
        assert!(!sessions.is_live(&token, Mono(720 * 60_000)), "old");
    }

    #[test]
    fn watching_a_session_neither_keeps_it_alive_nor_outlives_it() {
        let sessions = Sessions::default();
        let cookie = sessions.begin(Mono(0));
        let token = headers(&[("cookie", cookie.split(';').next().expect("the pair"))]);
        assert!(sessions.stands(&token, Mono(20 * 60_000)));
        assert!(!sessions.stands(&token, Mono(40 * 60_000)), "idle, though it was looked at");
        let cookie = sessions.begin(Mono(0));
        let token = headers(&[("cookie", cookie.split(';').next().expect("the pair"))]);
        sessions.end(&token);
        assert!(!sessions.stands(&token, Mono(1)), "signed out");
    }
}
