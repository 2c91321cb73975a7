//! EAP-MSCHAPv2's packets (draft-kamath-pppext-eap-mschapv2-02, 2): opcode, MS-CHAPv2-ID, MS-Length, and the packets of RFC 2759.

const OP_CHALLENGE: u8 = 1;
const OP_RESPONSE: u8 = 2;
const OP_SUCCESS: u8 = 3;
const OP_FAILURE: u8 = 4;
/// Opcode, MS-CHAPv2-ID and MS-Length.
const HEADER_BYTES: usize = 4;
/// Peer-Challenge, eight reserved bytes, NT-Response, Flags.
const RESPONSE_VALUE_BYTES: usize = 49;

/// The type-data of an EAP-MSCHAPv2 packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MsChapV2Packet<'a> {
    Challenge {
        id: u8,
        challenge: [u8; 16],
        name: &'a [u8],
    },
    Response {
        id: u8,
        peer_challenge: [u8; 16],
        nt_response: [u8; 24],
        name: &'a [u8],
    },
    SuccessRequest {
        id: u8,
        message: &'a [u8],
    },
    FailureRequest {
        id: u8,
        message: &'a [u8],
    },
    /// A peer acknowledges by the opcode alone.
    SuccessResponse,
    FailureResponse,
}

impl<'a> MsChapV2Packet<'a> {
    /// None: not such a packet. Bytes beyond MS-Length are dropped, as every implementation does.
    #[must_use]
    pub fn decode(bytes: &'a [u8]) -> Option<Self> {
        let (op, id, body) = match *bytes {
            [OP_SUCCESS] => return Some(Self::SuccessResponse),
            [OP_FAILURE] => return Some(Self::FailureResponse),
            [op, id, high, low, ..] => {
                let length = usize::from(u16::from_be_bytes([high, low]));
                (op, id, bytes.get(HEADER_BYTES..length)?)
            }
            _ => return None,
        };
        match op {
            OP_CHALLENGE => {
                let (challenge, name) = split_value::<16>(body)?;
                Some(Self::Challenge { id, challenge, name })
            }
            OP_RESPONSE => {
                let (value, name) = split_value::<RESPONSE_VALUE_BYTES>(body)?;
                let (peer_challenge, rest) = value.split_first_chunk::<16>()?;
                let nt_response = rest.get(8..)?.first_chunk::<24>()?;
                Some(Self::Response { id, peer_challenge: *peer_challenge, nt_response: *nt_response, name })
            }
            OP_SUCCESS => Some(Self::SuccessRequest { id, message: body }),
            OP_FAILURE => Some(Self::FailureRequest { id, message: body }),
            _ => None,
        }
    }

    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Challenge { id, challenge, name } => encode(OP_CHALLENGE, *id, &[&[16], challenge, name]),
            Self::Response { id, peer_challenge, nt_response, name } => {
                let size = [RESPONSE_VALUE_BYTES as u8];
                encode(OP_RESPONSE, *id, &[&size, peer_challenge, &[0; 8], nt_response, &[0], name])
            }
            Self::SuccessRequest { id, message } => encode(OP_SUCCESS, *id, &[message]),
            Self::FailureRequest { id, message } => encode(OP_FAILURE, *id, &[message]),
            Self::SuccessResponse => vec![OP_SUCCESS],
            Self::FailureResponse => vec![OP_FAILURE],
        }
    }
}

/// Value-Size, the value, and the name behind it.
fn split_value<const N: usize>(body: &[u8]) -> Option<([u8; N], &[u8])> {
    let (&size, rest) = body.split_first()?;
    let (value, name) = rest.split_first_chunk::<N>()?;
    (usize::from(size) == N).then_some((*value, name))
}

fn encode(op: u8, id: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length = HEADER_BYTES + parts.iter().map(|part| part.len()).sum::<usize>();
    let mut out = Vec::with_capacity(length);
    out.extend_from_slice(&[op, id]);
    out.extend_from_slice(&u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}
