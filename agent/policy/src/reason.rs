//! Why something was refused: a stable code for machines, one plain sentence for people. No sentence holds personal data.

use serde::{Deserialize, Serialize};

/// Each refusal that policy can utter. Times inside are already spoken in the site's zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "code")]
pub enum Reason {
    // people
    UnknownMember,
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
    NoWifiInPlan {
        plan: String,
    },
    NoWifiKey,
    DeviceLimit {
        limit: u16,
        live: u16,
    },
    UnknownNetwork {
        network: String,
    },
    UnknownSession,
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
            Self::MemberSuspended { .. } => "member-suspended",
            Self::MemberEnded { .. } => "member-ended",
            Self::MembershipNotBegun { .. } => "membership-not-begun",
            Self::MembershipOver { .. } => "membership-over",
            Self::UnknownPlan { .. } => "unknown-plan",
            Self::CredentialRevoked { .. } => "credential-revoked",
            Self::OutsideHours { .. } => "outside-hours",
            Self::ClockUntrusted => "clock-untrusted",
            Self::WrongKey => "wrong-key",
            Self::NoWifiInPlan { .. } => "no-wifi-in-plan",
            Self::NoWifiKey => "no-wifi-key",
            Self::DeviceLimit { .. } => "device-limit",
            Self::UnknownNetwork { .. } => "unknown-network",
            Self::UnknownSession => "unknown-session",
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
            Self::WrongKey => "The Wi-Fi key is wrong; check the key on the device or issue a new one.".into(),
            Self::NoWifiInPlan { plan } => format!("The plan `{plan}` includes no Wi-Fi."),
            Self::NoWifiKey => "The member has no Wi-Fi key yet; issue one for the device.".into(),
            Self::DeviceLimit { limit, live } => {
                format!("{live} devices are online and the plan's limit is {limit}; disconnect one first.")
            }
            Self::UnknownNetwork { network } => format!("The site file has no network `{network}`."),
            Self::UnknownSession => "There is no such Wi-Fi session; it may have ended.".into(),
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
