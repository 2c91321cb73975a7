//! The EAP packet (RFC 3748 4): code, identifier, length, and for Request and Response a type with its data.
//! It knows no method.

/// Code, Identifier and Length.
pub(super) const HEADER_BYTES: usize = 4;
/// The header and the Type of a Request or Response.
pub(super) const MESSAGE_HEADER_BYTES: usize = HEADER_BYTES + 1;

const CODE_REQUEST: u8 = 1;
const CODE_RESPONSE: u8 = 2;
const CODE_SUCCESS: u8 = 3;
const CODE_FAILURE: u8 = 4;

/// An EAP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    Request(Message<'a>),
    Response(Message<'a>),
    Success { identifier: u8 },
    Failure { identifier: u8 },
}

/// What Request and Response carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    pub identifier: u8,
    /// The EAP Type, see `eap_type`.
    pub kind: u8,
    pub data: &'a [u8],
}

/// The bytes are not an EAP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl<'a> Packet<'a> {
    /// Reads one packet. Bytes beyond Length are padding (RFC 3748 4.1) and dropped.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let [code, identifier, high, low, ..] = *bytes else { return Err(Malformed) };
        let length = usize::from(u16::from_be_bytes([high, low]));
        let body = bytes.get(HEADER_BYTES..length).ok_or(Malformed)?;
        let message = || {
            let (&kind, data) = body.split_first().ok_or(Malformed)?;
            Ok(Message { identifier, kind, data })
        };
        match code {
            CODE_REQUEST => message().map(Self::Request),
            CODE_RESPONSE => message().map(Self::Response),
            CODE_SUCCESS if body.is_empty() => Ok(Self::Success { identifier }),
            CODE_FAILURE if body.is_empty() => Ok(Self::Failure { identifier }),
            _ => Err(Malformed),
        }
    }

    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Request(message) => message.encode(CODE_REQUEST),
            Self::Response(message) => message.encode(CODE_RESPONSE),
            Self::Success { identifier } => vec![CODE_SUCCESS, *identifier, 0, HEADER_BYTES as u8],
            Self::Failure { identifier } => vec![CODE_FAILURE, *identifier, 0, HEADER_BYTES as u8],
        }
    }
}

impl Message<'_> {
    fn encode(&self, code: u8) -> Vec<u8> {
        let length = MESSAGE_HEADER_BYTES + self.data.len();
        let length = u16::try_from(length).expect("methods cut their data to fragments of far less than 64 KiB");
        let mut out = Vec::with_capacity(usize::from(length));
        out.extend_from_slice(&[code, self.identifier]);
        out.extend_from_slice(&length.to_be_bytes());
        out.push(self.kind);
        out.extend_from_slice(self.data);
        out
    }
}
