//! What an Accounting-Request says, by meaning (RFC 2866; RFC 2869 for interim updates and gigawords).

use super::access::framed_ip_address;
use super::{AttributeType, Nas, Packet};
use std::fmt;
use std::net::IpAddr;
use values::MacAddress;

/// Why an Accounting-Request cannot be used. It is answered all the same, or the access point would repeat it for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountingError {
    NoStatusType,
    UnknownStatusType(u32),
    /// A session without Acct-Session-Id, which RFC 2866, 5.5 requires.
    NoSessionId,
}

impl fmt::Display for AccountingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoStatusType => write!(f, "no Acct-Status-Type"),
            Self::UnknownStatusType(number) => write!(f, "unknown Acct-Status-Type {number}"),
            Self::NoSessionId => write!(f, "no Acct-Session-Id"),
        }
    }
}

impl std::error::Error for AccountingError {}

/// Octets and packets as the device sees them: `received` by it is Acct-Output, `sent` by it is Acct-Input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    pub sent_bytes: u64,
    pub received_bytes: u64,
    pub sent_packets: u32,
    pub received_packets: u32,
}

/// What is told about one session.
#[derive(Clone, Debug)]
pub struct SessionReport<'a> {
    pub status: SessionStatus,
    pub nas: Nas<'a>,
    /// The NAS's own name for the session; unique only there.
    pub acct_session_id: &'a [u8],
    /// What our Access-Accept gave it to return.
    pub class: Option<&'a [u8]>,
    pub user_name: Option<&'a str>,
    pub mac: Option<MacAddress>,
    pub ip: Option<IpAddr>,
    pub traffic: Traffic,
    pub session_seconds: u32,
    /// How long the access point has been trying to send this.
    pub delay_seconds: u32,
    pub terminate_cause: Option<u32>,
}

/// Acct-Status-Type, as far as it is about a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionStatus {
    Start,
    InterimUpdate,
    Stop,
}

/// An Accounting-Request. It is genuine only after [`Packet::verify_signed_request`].
#[derive(Clone, Debug)]
pub enum AccountingRequest<'a> {
    Session(SessionReport<'a>),
    /// This NAS has begun to work: every session of before is over.
    AccountingOn(Nas<'a>),
    /// It is about to stop: every session is over.
    AccountingOff(Nas<'a>),
}

impl<'a> AccountingRequest<'a> {
    /// # Errors
    /// What it lacks.
    pub fn of(packet: &Packet<'a>) -> Result<Self, AccountingError> {
        let number = packet.integer(AttributeType::ACCT_STATUS_TYPE).ok_or(AccountingError::NoStatusType)?;
        let status = match number {
            1 => SessionStatus::Start,
            2 => SessionStatus::Stop,
            3 => SessionStatus::InterimUpdate,
            7 => return Ok(Self::AccountingOn(Nas::of(packet))),
            8 => return Ok(Self::AccountingOff(Nas::of(packet))),
            other => return Err(AccountingError::UnknownStatusType(other)),
        };
        let acct_session_id = packet.first(AttributeType::ACCT_SESSION_ID).filter(|id| !id.is_empty());
        Ok(Self::Session(SessionReport {
            status,
            nas: Nas::of(packet),
            acct_session_id: acct_session_id.ok_or(AccountingError::NoSessionId)?,
            class: packet.first(AttributeType::CLASS),
            user_name: packet.text(AttributeType::USER_NAME),
            mac: packet.text(AttributeType::CALLING_STATION_ID).and_then(|text| text.parse().ok()),
            ip: framed_ip_address(packet),
            traffic: traffic(packet),
            session_seconds: packet.integer(AttributeType::ACCT_SESSION_TIME).unwrap_or(0),
            delay_seconds: packet.integer(AttributeType::ACCT_DELAY_TIME).unwrap_or(0),
            terminate_cause: packet.integer(AttributeType::ACCT_TERMINATE_CAUSE),
        }))
    }
}

fn traffic(packet: &Packet<'_>) -> Traffic {
    let number = |kind| packet.integer(kind).unwrap_or(0);
    let wide = |words, octets| u64::from(number(words)) << 32 | u64::from(number(octets));
    Traffic {
        sent_bytes: wide(AttributeType::ACCT_INPUT_GIGAWORDS, AttributeType::ACCT_INPUT_OCTETS),
        received_bytes: wide(AttributeType::ACCT_OUTPUT_GIGAWORDS, AttributeType::ACCT_OUTPUT_OCTETS),
        sent_packets: number(AttributeType::ACCT_INPUT_PACKETS),
        received_packets: number(AttributeType::ACCT_OUTPUT_PACKETS),
    }
}

/// Acct-Terminate-Cause by its name in RFC 2866, 5.10, in lower case.
#[must_use]
pub const fn terminate_cause_word(number: u32) -> &'static str {
    match number {
        1 => "user-request",
        2 => "lost-carrier",
        3 => "lost-service",
        4 => "idle-timeout",
        5 => "session-timeout",
        6 => "admin-reset",
        7 => "admin-reboot",
        8 => "port-error",
        9 => "nas-error",
        10 => "nas-request",
        11 => "nas-reboot",
        12 => "port-unneeded",
        13 => "port-preempted",
        14 => "port-suspended",
        15 => "service-unavailable",
        16 => "callback",
        17 => "user-error",
        18 => "host-request",
        _ => "unknown",
    }
}
