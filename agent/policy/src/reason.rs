//! Why something was refused: a stable code for machines, one plain sentence for people. No sentence holds personal data.

use serde::{Deserialize, Serialize};

/// Each refusal that policy can utter. Times inside are already spoken in the site's zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "code")]
pub enum Reason {
    // people
    UnknownMember,
    /// Several members have the name that was asked for.
    AmbiguousMember {
        members: u32,
    },
    MemberSuspended {
        since: String,
    },
    MemberEnded {
        at: String,
    },
    MembershipNotBegun {
        begins: String,
    },
    MembershipOver {
        since: String,
    },
    UnknownPlan {
        plan: String,
    },
    CredentialRevoked {
        since: String,
    },
    OutsideHours {
        schedule: String,
        opens: Option<String>,
    },
    ClockUntrusted,
    // wifi
    WrongKey,
    /// Held back after too many failed logins of this device, or with this name.
    TooManyTries {
        seconds: u32,
    },
    NoWifiInPlan {
        plan: String,
    },
    NoWifiKey,
    /// A certificate of our device CA that no member has.
    UnknownCertificate,
    CertificateExpired {
        since: String,
    },
    DeviceLimit {
        limit: u16,
        live: u16,
    },
    /// The box follows as many sessions as it can; nobody is let in whom it could not send away again.
    TooManySessions {
        limit: usize,
    },
    /// An address that nobody registered, on a network without 802.1X and without passphrases.
    DeviceNotRegistered,
    NetworkNotNamed,
    NotAPassphraseNetwork {
        ssid: String,
    },
    /// An address alone, on a network that the site file gives to 802.1X.
    NetworkNeedsLogin {
        ssid: String,
    },
    NoPassphraseForDevice,
    /// WPA3-Personal: the passphrase must be known from the address.
    PassphraseNeedsAddress,
    PassphraseOfOtherDevice,
    WrongPassphrase,
    TooManyPassphrases,
    /// What the access point passed on of the 4-way handshake cannot be checked.
    HandshakeUnusable {
        what: String,
    },
    UnknownNetwork {
        network: String,
    },
    /// The site file gives the network no VLAN, or another one by now.
    NoVlan {
        network: String,
    },
    UnknownSession,
    // access points
    UnknownAccessPoint {
        access_point: String,
    },
    AccessPointWithoutRadsec {
        access_point: String,
    },
    NoAccessPointCertificate {
        access_point: String,
    },
    /// The certificate is of something else: a relay, or an access point of another realm.
    CertificateOfNoAccessPoint,
    AccessPointCertificateReplaced {
        access_point: String,
    },
    AccessPointCertificateExpired {
        access_point: String,
    },
    AccessPointElsewhere {
        access_point: String,
        expected: String,
    },
    // print
    NoPrintInPlan {
        plan: String,
    },
    /// The client asked for `job-hold-until=indefinite`.
    HeldOnRequest,
    AccountLimitReached {
        pages: u32,
        left: u32,
        short_minor: i64,
        currency: String,
    },
    NotSignedIn,
    UnknownPrinter {
        printer: String,
    },
    UnknownJob,
    NotYourJob,
    JobState {
        state: String,
    },
    // door
    UnknownBadge,
    BadgeRepeated,
    NoSuchDoor {
        door: String,
    },
    DoorNotInPlan {
        door: String,
        plan: String,
    },
    ReaderWithoutDoor {
        reader: String,
    },
    RelayAbsent {
        device: String,
    },
    RelaySilent {
        device: String,
    },
    RelayProfile {
        device: String,
        expected: String,
    },
    RelayRefused {
        device: String,
    },
    /// The command left and nobody can say what became of it.
    DoorUnconfirmed,
    DoorBusy,
    // devices
    UnknownDeviceName,
    WrongDevicePassword {
        device: String,
    },
    DeviceNameMismatch {
        device: String,
    },
    TopicNotAllowed {
        device: String,
    },
    SubscriptionNotAllowed {
        device: String,
    },
    RetainedCommand {
        device: String,
    },
    DeviceTooFast {
        device: String,
    },
    DeviceMisbehaved {
        what: String,
    },
    // commands
    EmailTaken,
    EmailInvalid,
    NameInvalid,
    BadgeTaken,
    BadgeInvalid,
    AddressTaken,
    DeviceTaken {
        device: String,
    },
    UnknownDevice {
        device: String,
    },
    UnknownCredential,
    AlreadySo {
        what: String,
    },
    AlreadyClaimed,
    NotClaimed,
    LimitReached {
        what: String,
        limit: u32,
    },
    Invalid {
        what: String,
        expected: String,
    },
    StorageFailed {
        what: String,
    },
}

impl Reason {
    /// The stable code: the kebab-case name of the variant.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownMember => "unknown-member",
            Self::AmbiguousMember { .. } => "ambiguous-member",
            Self::MemberSuspended { .. } => "member-suspended",
            Self::MemberEnded { .. } => "member-ended",
            Self::MembershipNotBegun { .. } => "membership-not-begun",
            Self::MembershipOver { .. } => "membership-over",
            Self::UnknownPlan { .. } => "unknown-plan",
            Self::CredentialRevoked { .. } => "credential-revoked",
            Self::OutsideHours { .. } => "outside-hours",
            Self::ClockUntrusted => "clock-untrusted",
            Self::WrongKey => "wrong-key",
            Self::TooManyTries { .. } => "too-many-tries",
            Self::NoWifiInPlan { .. } => "no-wifi-in-plan",
            Self::NoWifiKey => "no-wifi-key",
            Self::UnknownCertificate => "unknown-certificate",
            Self::CertificateExpired { .. } => "certificate-expired",
            Self::DeviceLimit { .. } => "device-limit",
            Self::TooManySessions { .. } => "too-many-sessions",
            Self::DeviceNotRegistered => "device-not-registered",
            Self::NetworkNotNamed => "network-not-named",
            Self::NotAPassphraseNetwork { .. } => "not-a-passphrase-network",
            Self::NetworkNeedsLogin { .. } => "network-needs-login",
            Self::NoPassphraseForDevice => "no-passphrase-for-device",
            Self::PassphraseNeedsAddress => "passphrase-needs-address",
            Self::PassphraseOfOtherDevice => "passphrase-of-other-device",
            Self::WrongPassphrase => "wrong-passphrase",
            Self::TooManyPassphrases => "too-many-passphrases",
            Self::HandshakeUnusable { .. } => "handshake-unusable",
            Self::UnknownNetwork { .. } => "unknown-network",
            Self::NoVlan { .. } => "no-vlan",
            Self::UnknownSession => "unknown-session",
            Self::UnknownAccessPoint { .. } => "unknown-access-point",
            Self::AccessPointWithoutRadsec { .. } => "access-point-without-radsec",
            Self::NoAccessPointCertificate { .. } => "no-access-point-certificate",
            Self::CertificateOfNoAccessPoint => "certificate-of-no-access-point",
            Self::AccessPointCertificateReplaced { .. } => "access-point-certificate-replaced",
            Self::AccessPointCertificateExpired { .. } => "access-point-certificate-expired",
            Self::AccessPointElsewhere { .. } => "access-point-elsewhere",
            Self::NoPrintInPlan { .. } => "no-print-in-plan",
            Self::HeldOnRequest => "held-on-request",
            Self::AccountLimitReached { .. } => "account-limit-reached",
            Self::NotSignedIn => "not-signed-in",
            Self::UnknownPrinter { .. } => "unknown-printer",
            Self::UnknownJob => "unknown-job",
            Self::NotYourJob => "not-your-job",
            Self::JobState { .. } => "job-state",
            Self::UnknownBadge => "unknown-badge",
            Self::BadgeRepeated => "badge-repeated",
            Self::NoSuchDoor { .. } => "no-such-door",
            Self::DoorNotInPlan { .. } => "door-not-in-plan",
            Self::ReaderWithoutDoor { .. } => "reader-without-door",
            Self::RelayAbsent { .. } => "relay-absent",
            Self::RelaySilent { .. } => "relay-silent",
            Self::RelayProfile { .. } => "relay-profile",
            Self::RelayRefused { .. } => "relay-refused",
            Self::DoorUnconfirmed => "door-unconfirmed",
            Self::DoorBusy => "door-busy",
            Self::UnknownDeviceName => "unknown-device-name",
            Self::WrongDevicePassword { .. } => "wrong-device-password",
            Self::DeviceNameMismatch { .. } => "device-name-mismatch",
            Self::TopicNotAllowed { .. } => "topic-not-allowed",
            Self::SubscriptionNotAllowed { .. } => "subscription-not-allowed",
            Self::RetainedCommand { .. } => "retained-command",
            Self::DeviceTooFast { .. } => "device-too-fast",
            Self::DeviceMisbehaved { .. } => "device-misbehaved",
            Self::EmailTaken => "email-taken",
            Self::EmailInvalid => "email-invalid",
            Self::NameInvalid => "name-invalid",
            Self::BadgeTaken => "badge-taken",
            Self::BadgeInvalid => "badge-invalid",
            Self::AddressTaken => "address-taken",
            Self::DeviceTaken { .. } => "device-taken",
            Self::UnknownDevice { .. } => "unknown-device",
            Self::UnknownCredential => "unknown-credential",
            Self::AlreadySo { .. } => "already-so",
            Self::AlreadyClaimed => "already-claimed",
            Self::NotClaimed => "not-claimed",
            Self::LimitReached { .. } => "limit-reached",
            Self::Invalid { .. } => "invalid",
            Self::StorageFailed { .. } => "storage-failed",
        }
    }

    /// What happened and, where somebody can do something about it, what to do.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::UnknownMember => "No member has this name, address or id.".into(),
            Self::AmbiguousMember { members } => format!("{members} members have this name; use the e-mail address or the id."),
            Self::MemberSuspended { since } => format!("The member has been suspended since {since}; resume the membership to let them in."),
            Self::MemberEnded { at } => format!("The membership ended on {at}."),
            Self::MembershipNotBegun { begins } => format!("The membership begins on {begins}."),
            Self::MembershipOver { since } => format!("The membership ran out on {since}."),
            Self::UnknownPlan { plan } => format!("The site file has no plan `{plan}`."),
            Self::CredentialRevoked { since } => format!("This credential was revoked on {since}; issue a new one."),
            Self::OutsideHours { schedule, opens: Some(opens) } => {
                format!("The plan's hours `{schedule}` are over; they begin again {opens}.")
            }
            Self::OutsideHours { schedule, opens: None } => format!("The plan's hours `{schedule}` do not open within the next two weeks."),
            Self::ClockUntrusted => "The box does not know the time yet, so grants that begin at a time stay closed until it does.".into(),
            Self::TooManyTries { seconds } => format!("Too many logins failed one after another, so this one was refused unseen; the next try counts in {seconds} s. Check the Wi-Fi key on the device."),
            Self::WrongKey => "The Wi-Fi key is wrong; check the key on the device or issue a new one.".into(),
            Self::NoWifiInPlan { plan } => format!("The plan `{plan}` includes no Wi-Fi."),
            Self::NoWifiKey => "The member has no Wi-Fi key yet; issue one for the device.".into(),
            Self::UnknownCertificate => "The device's certificate was made by this box, but the box knows no member for it; issue a new one for the device.".into(),
            Self::CertificateExpired { since } => format!("The device's certificate expired on {since}; issue a new one for the device."),
            Self::DeviceLimit { limit, live } => {
                format!("{live} devices are online and the plan's limit is {limit}; disconnect one first.")
            }
            Self::TooManySessions { limit } => {
                format!("The box keeps watch over at most {limit} logged-in devices and lets in no more; have every access point report accounting, so that it knows which have left.")
            }
            Self::DeviceNotRegistered => "Nobody has registered this device; give its address to a member with doorpost wifi register.".into(),
            Self::NetworkNotNamed => "The access point does not say which network the device wants; have it send the SSID in Called-Station-Id.".into(),
            Self::NotAPassphraseNetwork { ssid } => {
                format!("The device has a passphrase, but the site file does not give the network `{ssid}` to passphrases; list it with `security: passphrase`.")
            }
            Self::NetworkNeedsLogin { ssid } => {
                format!("The network `{ssid}` is joined by 802.1X, where an address alone lets nobody in; switch MAC authentication off there at the access point, or have the device join another network.")
            }
            Self::NoPassphraseForDevice => "No passphrase was issued for this device's address, and the access point does not pass on what would show which one it uses; issue one with --mac.".into(),
            Self::PassphraseNeedsAddress => "The device joins by WPA3, where only a passphrase that was issued for its address works; issue one with --mac, or let the network offer WPA2 too.".into(),
            Self::PassphraseOfOtherDevice => "This was issued for another device's address; switch the device's private address off, or issue it a passphrase of its own.".into(),
            Self::WrongPassphrase => "The passphrase on the device is none of this network's; type it again or issue a new one.".into(),
            Self::TooManyPassphrases => "The device has tried too many wrong passphrases; it may try again in a minute.".into(),
            Self::HandshakeUnusable { what } => {
                format!("The access point passed on what cannot be checked: {what}. Let the network offer WPA2-Personal without fast roaming.")
            }
            Self::UnknownNetwork { network } => format!("The site file has no network `{network}`."),
            Self::NoVlan { network } => format!("The site file gives the network `{network}` no such VLAN, so there is nothing to test."),
            Self::UnknownSession => "There is no such Wi-Fi session; it may have ended.".into(),
            Self::UnknownAccessPoint { access_point } => {
                format!("The site file has no access point `{access_point}`; add it there, or take the certificate off the device.")
            }
            Self::AccessPointWithoutRadsec { access_point } => {
                format!("The site file does not let the access point `{access_point}` come by RadSec; add `radsec: true` to it there.")
            }
            Self::NoAccessPointCertificate { access_point } => {
                format!("The access point `{access_point}` has no RadSec certificate.")
            }
            Self::CertificateOfNoAccessPoint => {
                "A client came to the RadSec port with a certificate that is no access point's of this site; install the one of `doorpost accesspoint certificate`.".into()
            }
            Self::AccessPointCertificateReplaced { access_point } => format!(
                "The access point `{access_point}` came with a certificate that was withdrawn or has been replaced; install the newest one, or issue another."
            ),
            Self::AccessPointCertificateExpired { access_point } => {
                format!("The RadSec certificate of the access point `{access_point}` has expired; issue a new one and install it there.")
            }
            Self::AccessPointElsewhere { access_point, expected } => format!(
                "The certificate of the access point `{access_point}` was used from another address than its own, {expected}; if it has moved, correct the site file, else issue a new certificate."
            ),
            Self::NoPrintInPlan { plan } => format!("The plan `{plan}` includes no printing."),
            Self::HeldOnRequest => "The job waits until it is released.".into(),
            Self::AccountLimitReached { pages, left, short_minor, currency } => format!(
                "The job has {pages} pages and {left} are left this month; {} {currency} of credit is missing. Add credit and it prints.",
                spoken_amount(*short_minor)
            ),
            Self::NotSignedIn => "Printing needs a member's user name and key, over TLS.".into(),
            Self::UnknownPrinter { printer } => format!("There is no printer `{printer}`."),
            Self::UnknownJob => "There is no such print job.".into(),
            Self::NotYourJob => "This print job belongs to somebody else.".into(),
            Self::JobState { state } => format!("The job is {state}, so this cannot be done to it."),
            Self::UnknownBadge => "The badge belongs to nobody here; add it to a member first.".into(),
            Self::BadgeRepeated => "The reader repeated a badge that it had sent before, so nobody knows how old it is; hold the badge to the reader again.".into(),
            Self::NoSuchDoor { door } => format!("There is no door `{door}`."),
            Self::DoorNotInPlan { door, plan } => format!("The plan `{plan}` does not open the door `{door}`."),
            Self::ReaderWithoutDoor { reader } => format!("The reader `{reader}` stands at no door in the site file."),
            Self::RelayAbsent { device } => format!("The relay `{device}` is not connected; check its power and network."),
            Self::RelaySilent { device } => format!("The relay `{device}` is connected but did not answer in time; check its Wi-Fi, and that it takes calls over MQTT."),
            Self::RelayProfile { device, expected } => {
                format!("The site file says that the relay `{device}` speaks {expected}, but it was added as something else; remove it and add it again.")
            }
            Self::RelayRefused { device } => format!("The relay `{device}` refused the command; look at its own settings."),
            Self::DoorUnconfirmed => "The relay could not confirm; try the door.".into(),
            Self::DoorBusy => "The door is being opened already.".into(),
            Self::UnknownDeviceName => "A client tried to connect under a name that no device has; add the device first.".into(),
            Self::WrongDevicePassword { device } => {
                format!("Somebody gave a wrong password for the device `{device}`; if it was the device itself, remove it and add it again.")
            }
            Self::DeviceNameMismatch { device } => {
                format!("The device `{device}` must use its name as client id and as user name.")
            }
            Self::TopicNotAllowed { device } => format!("The device `{device}` published on a topic that is not its own; the message was dropped."),
            Self::SubscriptionNotAllowed { device } => format!("The device `{device}` asked for topics that are not its own."),
            Self::RetainedCommand { device } => {
                format!("The device `{device}` published a retained command; it was dropped, since a stored command opens a door by itself one day.")
            }
            Self::DeviceTooFast { device } => format!("The device `{device}` sends more messages than a door needs and was disconnected."),
            Self::DeviceMisbehaved { what } => format!("A client at the MQTT port broke the protocol ({what}) and was disconnected."),
            Self::EmailTaken => "Another member has this e-mail address.".into(),
            Self::EmailInvalid => "An e-mail address has one @ with text on both sides and at most 254 characters.".into(),
            Self::NameInvalid => "A name has 1 to 200 characters and no control characters.".into(),
            Self::BadgeTaken => "This badge belongs to another member; revoke it there first.".into(),
            Self::BadgeInvalid => "A badge UID is 4 to 10 bytes in hexadecimal, such as 04A1B2C3.".into(),
            Self::AddressTaken => "A device with this MAC address is registered already; revoke that credential first.".into(),
            Self::DeviceTaken { device } => format!("A device `{device}` exists; remove it first to give it a new password."),
            Self::UnknownDevice { device } => format!("There is no device `{device}`."),
            Self::UnknownCredential => "There is no such credential.".into(),
            Self::AlreadySo { what } => format!("Nothing to do: {what}."),
            Self::AlreadyClaimed => "The box has been claimed already; an administrator can sign in.".into(),
            Self::NotClaimed => "The box has not been claimed yet; use the code that it shows at start.".into(),
            Self::LimitReached { what, limit } => format!("The limit of {limit} {what} is reached."),
            Self::Invalid { what, expected } => format!("{what} is not valid: expected {expected}."),
            Self::StorageFailed { what } => format!("The box could not write this down ({what}), so nothing was changed; check its disk."),
        }
    }
}

/// An amount in hundredths as people write it: `-150` is `-1.50`.
#[must_use]
pub fn spoken_amount(minor: i64) -> String {
    let sign = if minor < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", minor.unsigned_abs() / 100, minor.unsigned_abs() % 100)
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.sentence())
    }
}

impl std::error::Error for Reason {}
