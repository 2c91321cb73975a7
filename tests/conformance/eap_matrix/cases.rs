//! The table: what a device does, and what must come of it.

use std::fmt;

/// What the device is set to: a name for people, and the lines of its network block.
#[derive(Clone, Copy)]
pub struct Offer {
    pub name: &'static str,
    pub lines: &'static [&'static str],
}

/// How the device speaks TLS.
#[derive(Clone, Copy)]
pub struct Tls {
    pub name: &'static str,
    pub lines: &'static [&'static str],
}

/// Whose key the device has, and what is the matter with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    Member,
    InTeam,
    /// The name without the realm that it was issued with.
    WithoutRealm,
    /// As Windows may send it, in capitals: `HARBOUR\NAME`.
    WithDomain,
    WrongKey,
    Unknown,
    Suspended,
    Ended,
    OutsideHours,
    Revoked,
    DeviceLimit,
    NoWifiInPlan,
    /// Under EAP-TLS: a certificate of the box's own device CA that the box does not know, as after a restored backup.
    UnknownCertificate,
    /// Under EAP-TLS: a certificate of somebody else's CA.
    ForeignCertificate,
}

impl Who {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::InTeam => "member of a team",
            Self::WithoutRealm => "member, name without realm",
            Self::WithDomain => "member, name with a Windows domain",
            Self::WrongKey => "wrong key",
            Self::Unknown => "unknown user",
            Self::Suspended => "suspended",
            Self::Ended => "membership ended",
            Self::OutsideHours => "outside the plan's hours",
            Self::Revoked => "revoked key or certificate",
            Self::DeviceLimit => "one device too many",
            Self::NoWifiInPlan => "plan without Wi-Fi",
            Self::UnknownCertificate => "certificate that the box does not know",
            Self::ForeignCertificate => "certificate of another CA",
        }
    }
}

/// What the device believes of the box.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Its CA and its name.
    Box,
    /// A CA of somebody else.
    OtherCa,
    /// Our CA, and a name that is not ours.
    OtherName,
}

/// Whether the device comes again at once, in the same process, with what it remembers of TLS.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Again {
    No,
    /// The second login skips the certificates and the inner method.
    Resumed,
    /// The second login is a full one.
    InFull,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Let in; the method as the record tells it, and the VLAN.
    In { method: &'static str, vlan: u16 },
    /// Not let in, with this code.
    Refused(&'static str),
}

#[derive(Clone, Copy)]
pub struct Case {
    pub offer: Offer,
    pub tls: Tls,
    /// The device's fragments; none is its own default of 1398.
    pub device_bytes: Option<u16>,
    /// The access point's Framed-MTU, which bounds the box's fragments; none is eapol_test's 1400.
    pub framed_mtu: Option<u16>,
    pub who: Who,
    pub trust: Trust,
    pub again: Again,
    pub expected: Expected,
}

impl fmt::Display for Case {
    /// What the device does, as a row of the table tells it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = |bytes: Option<u16>| bytes.map_or_else(|| "default".to_owned(), |bytes| bytes.to_string());
        let (device, mtu) = (size(self.device_bytes), size(self.framed_mtu));
        let trust = match self.trust {
            Trust::Box => "",
            Trust::OtherCa => ", trusts another CA",
            Trust::OtherName => ", expects another server name",
        };
        write!(f, "{} | {} | {device} / {mtu} | {}{trust}", self.offer.name, self.tls.name, self.who.name())
    }
}

const TTLS_PAP: Offer = Offer { name: "TTLS/PAP", lines: &["eap=TTLS", "phase2=\"auth=PAP\""] };
const TTLS_MSCHAPV2: Offer = Offer { name: "TTLS/MSCHAPv2", lines: &["eap=TTLS", "phase2=\"auth=MSCHAPV2\""] };
const TTLS_EAP: Offer = Offer { name: "TTLS/EAP-MSCHAPv2", lines: &["eap=TTLS", "phase2=\"autheap=MSCHAPV2\""] };
const PEAP: Offer = Offer { name: "PEAP/MSCHAPv2", lines: &["eap=PEAP", "phase2=\"auth=MSCHAPV2\""] };

/// The judge adds the certificate.
pub const EAP_TLS: Offer = Offer { name: "EAP-TLS", lines: &["eap=TLS"] };

const V12: Tls = Tls { name: "1.2", lines: &["phase1=\"tls_disable_tlsv1_3=1\""] };
const V13: Tls = Tls {
    name: "1.3",
    lines: &["phase1=\"tls_disable_tlsv1_0=1 tls_disable_tlsv1_1=1 tls_disable_tlsv1_2=1 tls_disable_tlsv1_3=0\""],
};

const fn let_in(offer: Offer, tls: Tls, method: &'static str) -> Case {
    Case {
        offer,
        tls,
        device_bytes: None,
        framed_mtu: None,
        who: Who::Member,
        trust: Trust::Box,
        again: Again::No,
        expected: Expected::In { method, vlan: 10 },
    }
}

const fn refused(offer: Offer, tls: Tls, code: &'static str) -> Case {
    Case { expected: Expected::Refused(code), ..let_in(offer, tls, "") }
}

const fn other_method(name: &'static str, lines: &'static [&'static str]) -> Case {
    refused(Offer { name, lines }, V12, "eap-no-common-method")
}

const fn other_inner(name: &'static str, lines: &'static [&'static str]) -> Case {
    refused(Offer { name, lines }, V12, "eap-inner-method-unsupported")
}

/// Each method over each version of TLS: what all the rest is measured against.
const METHODS: [(Offer, Tls, &str); 10] = [
    (EAP_TLS, V12, "EAP-TLS, TLS 1.2"),
    (EAP_TLS, V13, "EAP-TLS, TLS 1.3"),
    (TTLS_PAP, V12, "TTLS/PAP, TLS 1.2"),
    (TTLS_PAP, V13, "TTLS/PAP, TLS 1.3"),
    (TTLS_MSCHAPV2, V12, "TTLS/MSCHAPv2, TLS 1.2"),
    (TTLS_MSCHAPV2, V13, "TTLS/MSCHAPv2, TLS 1.3"),
    (TTLS_EAP, V12, "TTLS/EAP-MSCHAPv2, TLS 1.2"),
    (TTLS_EAP, V13, "TTLS/EAP-MSCHAPv2, TLS 1.3"),
    (PEAP, V12, "PEAP/MSCHAPv2, TLS 1.2"),
    (PEAP, V13, "PEAP/MSCHAPv2, TLS 1.3"),
];

/// Fragments of the device and Framed-MTU of the access point: both directions small, one of them, the usual values.
const PIECES: [(Option<u16>, Option<u16>); 5] = [
    (None, None),
    (Some(100), Some(104)),
    (Some(500), Some(1_024)),
    (Some(1_024), Some(500)),
    (Some(1_398), Some(1_500)),
];

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (offer, tls, method) in METHODS {
        for (device_bytes, framed_mtu) in PIECES {
            cases.push(Case { device_bytes, framed_mtu, ..let_in(offer, tls, method) });
        }
    }
    cases.extend(people());
    cases.extend(again());
    cases.extend(dialects());
    cases.extend(refused_people());
    cases.extend(distrust());
    cases.extend(old_tls());
    cases.extend(other_methods());
    cases
}

fn people() -> Vec<Case> {
    let peap = let_in(PEAP, V12, "PEAP/MSCHAPv2, TLS 1.2");
    let ttls = let_in(TTLS_PAP, V13, "TTLS/PAP, TLS 1.3");
    let in_team = |case: Case, method| Case { who: Who::InTeam, expected: Expected::In { method, vlan: 11 }, ..case };
    vec![
        in_team(peap, "PEAP/MSCHAPv2, TLS 1.2"),
        in_team(ttls, "TTLS/PAP, TLS 1.3"),
        in_team(let_in(EAP_TLS, V13, ""), "EAP-TLS, TLS 1.3"),
        Case { who: Who::WithoutRealm, ..peap },
        Case { who: Who::WithoutRealm, ..ttls },
        Case { who: Who::WithDomain, ..peap },
    ]
}

/// Over TLS 1.3, PEAP and TTLS give no tickets, since Windows fails on them; everything else resumes.
fn again() -> Vec<Case> {
    let resumes = |offer: Offer, tls: Tls| tls.name == V12.name || offer.name == EAP_TLS.name;
    let case = |(offer, tls, method)| {
        let again = if resumes(offer, tls) { Again::Resumed } else { Again::InFull };
        Case { again, ..let_in(offer, tls, method) }
    };
    let small = |case| Case { device_bytes: Some(100), framed_mtu: Some(104), ..case };
    let cases: Vec<Case> = METHODS.into_iter().map(case).collect();
    let resumed = cases.clone().into_iter().filter(|case| case.again == Again::Resumed).map(small);
    cases.iter().copied().chain(resumed).collect()
}

/// TLS dialects of today that are not the one preferred.
fn dialects() -> Vec<Case> {
    const AES_256: Tls = Tls {
        name: "1.2, AES-256-GCM only",
        lines: &["phase1=\"tls_disable_tlsv1_3=1\"", "openssl_ciphers=\"ECDHE-ECDSA-AES256-GCM-SHA384\""],
    };
    const CHACHA: Tls = Tls {
        name: "1.2, ChaCha20 only",
        lines: &["phase1=\"tls_disable_tlsv1_3=1\"", "openssl_ciphers=\"ECDHE-ECDSA-CHACHA20-POLY1305\""],
    };
    const EITHER: Tls = Tls { name: "1.2 or 1.3", lines: &["phase1=\"tls_disable_tlsv1_3=0\""] };
    const LIST: Offer =
        Offer { name: "MD5, GTC, then PEAP/MSCHAPv2", lines: &["eap=MD5 GTC PEAP", "phase2=\"auth=MSCHAPV2\""] };
    vec![
        let_in(PEAP, AES_256, "PEAP/MSCHAPv2, TLS 1.2"),
        let_in(TTLS_PAP, CHACHA, "TTLS/PAP, TLS 1.2"),
        let_in(PEAP, EITHER, "PEAP/MSCHAPv2, TLS 1.3"),
        let_in(LIST, V12, "PEAP/MSCHAPv2, TLS 1.2"),
    ]
}

fn refused_people() -> Vec<Case> {
    let refusals = [
        (Who::WrongKey, "wrong-key"),
        (Who::Unknown, "unknown-member"),
        (Who::Suspended, "member-suspended"),
        (Who::Ended, "member-ended"),
        (Who::OutsideHours, "outside-hours"),
        (Who::Revoked, "credential-revoked"),
        (Who::DeviceLimit, "device-limit"),
        (Who::NoWifiInPlan, "no-wifi-in-plan"),
    ];
    let mut cases = Vec::new();
    for (who, code) in refusals {
        for (offer, tls) in [(TTLS_PAP, V13), (PEAP, V12)] {
            cases.push(Case { who, ..refused(offer, tls, code) });
        }
        if !matches!(who, Who::WrongKey | Who::Unknown) {
            cases.push(Case { who, ..refused(EAP_TLS, V13, code) });
        }
    }
    for tls in [V12, V13] {
        for (who, code) in
            [(Who::UnknownCertificate, "unknown-certificate"), (Who::ForeignCertificate, "eap-certificate-untrusted")]
        {
            cases.push(Case { who, ..refused(EAP_TLS, tls, code) });
        }
    }
    cases
}

fn distrust() -> Vec<Case> {
    let mut cases = Vec::new();
    for (trust, code) in
        [(Trust::OtherCa, "eap-device-distrusts-ca"), (Trust::OtherName, "eap-device-distrusts-certificate")]
    {
        for (offer, tls) in [(TTLS_PAP, V13), (PEAP, V12), (EAP_TLS, V13)] {
            cases.push(Case { trust, ..refused(offer, tls, code) });
        }
    }
    cases
}

fn old_tls() -> Vec<Case> {
    const V10: Tls = Tls {
        name: "1.0",
        lines: &[
            "phase1=\"tls_disable_tlsv1_0=0 tls_disable_tlsv1_1=1 tls_disable_tlsv1_2=1 tls_disable_tlsv1_3=1\"",
            "openssl_ciphers=\"DEFAULT@SECLEVEL=0\"",
        ],
    };
    const V11: Tls = Tls {
        name: "1.1",
        lines: &[
            "phase1=\"tls_disable_tlsv1_1=0 tls_disable_tlsv1_2=1 tls_disable_tlsv1_3=1\"",
            "openssl_ciphers=\"DEFAULT@SECLEVEL=0\"",
        ],
    };
    const RSA_EXCHANGE: Tls = Tls {
        name: "1.2, RSA key exchange only",
        lines: &["phase1=\"tls_disable_tlsv1_3=1\"", "openssl_ciphers=\"AES128-SHA:AES256-SHA:AES128-GCM-SHA256\""],
    };
    const CBC: Tls = Tls {
        name: "1.2, CBC only",
        lines: &["phase1=\"tls_disable_tlsv1_3=1\"", "openssl_ciphers=\"ECDHE-ECDSA-AES128-SHA\""],
    };
    let old = [
        (V10, "eap-tls-too-old"),
        (V11, "eap-tls-too-old"),
        (RSA_EXCHANGE, "eap-tls-suites-too-old"),
        (CBC, "eap-tls-suites-too-old"),
    ];
    old.into_iter().map(|(tls, code)| refused(PEAP, tls, code)).collect()
}

fn other_methods() -> Vec<Case> {
    vec![
        other_method("MD5", &["eap=MD5"]),
        other_method("GTC", &["eap=GTC"]),
        other_method("MSCHAPv2 without a tunnel", &["eap=MSCHAPV2"]),
        other_method("LEAP", &["eap=LEAP"]),
        other_method("PWD", &["eap=PWD"]),
        other_method("FAST", &["eap=FAST", "phase1=\"fast_provisioning=2\"", "pac_file=\"blob://pac\""]),
        other_method("IKEv2", &["eap=IKEV2"]),
        other_inner("TTLS/EAP-MD5", &["eap=TTLS", "phase2=\"autheap=MD5\""]),
        other_inner("TTLS/CHAP", &["eap=TTLS", "phase2=\"auth=CHAP\""]),
        other_inner("TTLS/MSCHAP", &["eap=TTLS", "phase2=\"auth=MSCHAP\""]),
        other_inner("TTLS/EAP-GTC", &["eap=TTLS", "phase2=\"autheap=GTC\""]),
        other_inner("PEAP/GTC", &["eap=PEAP", "phase2=\"auth=GTC\""]),
        other_inner("PEAP/MD5", &["eap=PEAP", "phase2=\"auth=MD5\""]),
    ]
}
