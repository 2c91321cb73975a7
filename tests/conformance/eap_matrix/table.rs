//! docs/conformance.md, made from the rows.

use crate::cases::{Again, Case, Expected};
use std::fmt::Write as _;
use std::path::Path;

const HEAD: &str = "# Conformance: what devices do at the Wi-Fi, and what comes of it

Made by tests/conformance/eap_matrix.rs, which runs every row in `make test` with eapol_test, wpa_supplicant's own EAP peer, against one
running box, and fails when a row comes out otherwise or this page differs. Do not edit it;
`DOORPOST_WRITE_DOCS=1 cargo test -p tests --test eap_matrix` writes it anew.

- *TLS*: the versions that the device allows. *Pieces*: bytes of the device's fragments / the access point's Framed-MTU, which the box's
  EAP packets keep to.
- *Keys*: the key that the access point gets (MS-MPPE) is the one that the device computed, once a login.
- *Told*: the code of the record, as `doorpost events` and `doorpost why MEMBER wifi` tell it with its sentence.

| # | method | TLS | pieces | who | outcome | keys | told |
|--:|---|---|---|---|---|---|---|
";

/// Compares the page with the rows, or writes it when asked to.
pub fn check(page: &Path, cases: &[Case]) {
    let made = made(cases);
    if std::env::var_os("DOORPOST_WRITE_DOCS").is_some() {
        std::fs::write(page, &made).expect("docs/ can be written");
    }
    let kept = std::fs::read_to_string(page).unwrap_or_default();
    assert!(
        kept == made,
        "docs/conformance.md is out of date: DOORPOST_WRITE_DOCS=1 cargo test -p tests --test eap_matrix"
    );
}

fn made(cases: &[Case]) -> String {
    let mut text = HEAD.to_owned();
    for (n, case) in cases.iter().enumerate() {
        let logins = if case.again == Again::No { 1 } else { 2 };
        let (outcome, keys, told) = match case.expected {
            Expected::In { vlan, .. } => (let_in(case.again, vlan), logins.to_string(), "wifi-admitted"),
            Expected::Refused(code) => ("refused".to_owned(), "none".to_owned(), code),
        };
        writeln!(text, "| {} | {case} | {outcome} | {keys} | `{told}` |", n + 1).expect("a string takes text");
    }
    text
}

fn let_in(again: Again, vlan: u16) -> String {
    let then = match again {
        Again::No => "",
        Again::Resumed => ", then resumed",
        Again::InFull => ", then in full again",
    };
    format!("in, VLAN {vlan}{then}")
}
