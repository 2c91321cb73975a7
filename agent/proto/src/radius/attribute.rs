//! The numbers of the attributes that this box reads or writes, spelt as in their RFCs.

/// The type octet of an attribute. Any number may arrive, so this is a number with names and not an enum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttributeType(pub u8);

macro_rules! attributes {
    ($($(#[$doc:meta])* $name:ident = $number:literal;)*) => {
        impl AttributeType {
            $($(#[$doc])* pub const $name: Self = Self($number);)*
        }
    };
}

attributes! {
    // RFC 2865
    USER_NAME = 1;
    USER_PASSWORD = 2;
    CHAP_PASSWORD = 3;
    NAS_IP_ADDRESS = 4;
    NAS_PORT = 5;
    SERVICE_TYPE = 6;
    FRAMED_IP_ADDRESS = 8;
    FRAMED_MTU = 12;
    REPLY_MESSAGE = 18;
    STATE = 24;
    CLASS = 25;
    VENDOR_SPECIFIC = 26;
    SESSION_TIMEOUT = 27;
    IDLE_TIMEOUT = 28;
    TERMINATION_ACTION = 29;
    CALLED_STATION_ID = 30;
    CALLING_STATION_ID = 31;
    NAS_IDENTIFIER = 32;
    PROXY_STATE = 33;
    CHAP_CHALLENGE = 60;
    // RFC 2866
    ACCT_STATUS_TYPE = 40;
    ACCT_DELAY_TIME = 41;
    ACCT_INPUT_OCTETS = 42;
    ACCT_OUTPUT_OCTETS = 43;
    ACCT_SESSION_ID = 44;
    ACCT_SESSION_TIME = 46;
    ACCT_INPUT_PACKETS = 47;
    ACCT_OUTPUT_PACKETS = 48;
    ACCT_TERMINATE_CAUSE = 49;
    ACCT_MULTI_SESSION_ID = 50;
    // RFC 2869
    ACCT_INPUT_GIGAWORDS = 52;
    ACCT_OUTPUT_GIGAWORDS = 53;
    EVENT_TIMESTAMP = 55;
    NAS_PORT_TYPE = 61;
    EAP_MESSAGE = 79;
    MESSAGE_AUTHENTICATOR = 80;
    ACCT_INTERIM_INTERVAL = 85;
    /// RFC 4372: who it is, in a word that says nothing to anybody else; sent where the access point asks for it.
    CHARGEABLE_USER_IDENTITY = 89;
    // RFC 2868
    TUNNEL_TYPE = 64;
    TUNNEL_MEDIUM_TYPE = 65;
    TUNNEL_PASSWORD = 69;
    TUNNEL_PRIVATE_GROUP_ID = 81;
    // RFC 6929
    EXTENDED_ATTRIBUTE_5 = 245;
    // RFC 7268
    WLAN_AKM_SUITE = 188;
    // RFC 3162
    NAS_IPV6_ADDRESS = 95;
    // RFC 5176
    ERROR_CAUSE = 101;
}

/// Tunnel-Type VLAN (RFC 3580, 3.31).
pub const TUNNEL_TYPE_VLAN: u8 = 13;
/// Tunnel-Medium-Type IEEE-802 (RFC 2868, 3.2).
pub const TUNNEL_MEDIUM_IEEE_802: u8 = 6;
/// Termination-Action RADIUS-Request: the access point re-authenticates when Session-Timeout is over instead of
/// dropping the device (RFC 3580, 3.19).
pub const TERMINATION_ACTION_RADIUS_REQUEST: u32 = 1;
