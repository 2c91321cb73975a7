//! Links that bring one device of one member onto the Wi-Fi: an operator makes one, the member opens it on the device, and the
//! page behind it hands out the profile of that device's kind, once.
//!
//! A link's token has 130 random bits, is kept as its SHA-256 and in memory only, ends after a day, and is spent by the profile
//! that it brings. Looking at the page spends nothing: mail programs and messengers open links by themselves.

mod pages;

pub use pages::router;

use crate::api::Problem;
use crate::api::guard::Peer;
use axum::http::StatusCode;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use policy::Reason;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use values::{MemberId, Mono, Pii};

/// A day: the link is sent in the evening and opened on the way in.
pub const LINK_KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// Links that stand at the same time: a class of newcomers with three devices each.
const LINKS_MAX: usize = 256;
/// Tokens that are none, from one address: a link that was cut by a mail program is tried a few times.
const TRIES_BURST: u32 = 10;
const TRIES_PERIOD: Duration = Duration::from_secs(30);
/// Addresses told apart, as at the sign-in.
const TRIERS_MAX: usize = 8_192;

/// A link, as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub member: MemberId,
    /// What the device is called.
    pub label: Pii<String>,
    ends_at: Mono,
}

/// The links that stand.
pub struct Desk {
    links: Mutex<HashMap<[u8; 32], Link>>,
    tries: DefaultKeyedRateLimiter<Peer>,
}

impl Default for Desk {
    fn default() -> Self {
        let period = Quota::with_period(TRIES_PERIOD).expect("the period is not zero");
        let burst = NonZeroU32::new(TRIES_BURST).expect("the burst is not zero");
        Self { links: Mutex::default(), tries: RateLimiter::keyed(period.allow_burst(burst)) }
    }
}

impl Desk {
    /// The token of a new link.
    ///
    /// # Errors
    /// As many links stand as may.
    pub fn open(&self, member: MemberId, label: Pii<String>, now: Mono) -> Result<String, Reason> {
        let token = crate::secrets::typeable(1, 27);
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        links.retain(|_, link| link.ends_at > now);
        if links.len() >= LINKS_MAX {
            let limit = u32::try_from(LINKS_MAX).unwrap_or(u32::MAX);
            return Err(Reason::LimitReached { what: "links that nobody has used yet".into(), limit });
        }
        links.insert(key_of(&token), Link { member, label, ends_at: now + LINK_KEPT });
        Ok(token)
    }

    /// The link of this token, left as it is.
    ///
    /// # Errors
    /// There is none (any more), or `peer` has tried too many.
    pub fn look(&self, token: &str, peer: Peer, now: Mono) -> Result<Link, Problem> {
        let links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        let link = links.get(&key_of(token)).filter(|link| link.ends_at > now).cloned();
        drop(links);
        link.ok_or_else(|| self.no_link(peer))
    }

    /// Spends the link: nobody else has it from now on.
    ///
    /// # Errors
    /// As [`Desk::look`].
    pub fn take(&self, token: &str, peer: Peer, now: Mono) -> Result<Link, Problem> {
        let taken = self.links.lock().unwrap_or_else(PoisonError::into_inner).remove(&key_of(token));
        taken.filter(|link| link.ends_at > now).ok_or_else(|| self.no_link(peer))
    }

    /// Gives a link back that was taken for nothing.
    pub fn put_back(&self, token: &str, link: Link) {
        self.links.lock().unwrap_or_else(PoisonError::into_inner).insert(key_of(token), link);
    }

    fn no_link(&self, peer: Peer) -> Problem {
        if self.tries.len() >= TRIERS_MAX {
            self.tries.retain_recent();
        }
        if self.tries.len() < TRIERS_MAX && self.tries.check_key(&peer).is_ok() {
            let sentence = "This link has been used or is over; ask for a new one at the desk.";
            return Problem::new(StatusCode::GONE, "link-over", sentence);
        }
        let sentence = "Too many links that are none; wait a minute and try again.";
        Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many-tries", sentence)
    }
}

/// Hashing first makes the time of the look-up tell nothing about the token.
fn key_of(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMBER: MemberId = MemberId::from_random([7; 16]);
    const PEER: Peer = Peer(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7)));

    fn label() -> Pii<String> {
        Pii("phone".to_owned())
    }

    #[test]
    fn a_link_is_used_once_and_ends_after_a_day() {
        let desk = Desk::default();
        let token = desk.open(MEMBER, label(), Mono(0)).expect("a place");
        let other = desk.open(MEMBER, label(), Mono(0)).expect("a place");
        assert!(token.len() >= 27 && token != other);
        for _ in 0..3 {
            assert_eq!(desk.look(&token, PEER, Mono(1)).expect("looking spends nothing").member, MEMBER);
        }
        let link = desk.take(&token, PEER, Mono(2)).expect("the first");
        assert_eq!(desk.take(&token, PEER, Mono(3)).expect_err("the second").code, "link-over");
        assert_eq!(desk.look(&token, PEER, Mono(3)).expect_err("spent").code, "link-over");
        desk.put_back(&token, link);
        desk.take(&token, PEER, Mono(4)).expect("it was taken for nothing");
        let day = u64::try_from(LINK_KEPT.as_millis()).expect("small");
        desk.look(&other, PEER, Mono(day - 1)).expect("the last moment");
        assert_eq!(desk.take(&other, PEER, Mono(day)).expect_err("over").code, "link-over");
    }

    #[test]
    fn tokens_are_hashed_where_they_stand() {
        let desk = Desk::default();
        let token = desk.open(MEMBER, label(), Mono(0)).expect("a place");
        let links = desk.links.lock().expect("ours");
        assert!(links.keys().all(|key| key != token.as_bytes() && *key == key_of(&token)));
        assert!(!format!("{links:?}").contains(&token));
    }

    #[test]
    fn who_guesses_is_slowed_down_and_nobody_else() {
        let desk = Desk::default();
        let mine = desk.open(MEMBER, label(), Mono(0)).expect("a place");
        let codes: Vec<String> =
            (0..=TRIES_BURST).map(|n| desk.look(&n.to_string(), PEER, Mono(1)).expect_err("a guess").code).collect();
        assert_eq!(codes.first().map(String::as_str), Some("link-over"));
        assert_eq!(codes.last().map(String::as_str), Some("too-many-tries"));
        let other = Peer(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 8)));
        assert_eq!(desk.look("x", other, Mono(1)).expect_err("a guess").code, "link-over");
        desk.look(&mine, PEER, Mono(1)).expect("a link that stands is served to who guessed before");
    }

    #[test]
    fn links_are_bounded_and_those_that_are_over_make_room() {
        let desk = Desk::default();
        for _ in 0..LINKS_MAX {
            desk.open(MEMBER, label(), Mono(0)).expect("a place");
        }
        assert!(matches!(desk.open(MEMBER, label(), Mono(1)), Err(Reason::LimitReached { .. })));
        let day = u64::try_from(LINK_KEPT.as_millis()).expect("small");
        desk.open(MEMBER, label(), Mono(day)).expect("the old ones are over");
    }
}
