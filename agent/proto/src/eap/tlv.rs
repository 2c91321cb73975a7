//! The TLVs of EAP type 33 ([MS-PEAP] 2.2.8): how both sides of PEAP v0 say, inside the tunnel, whether the login worked.

/// Most TLVs in one packet: Result, Crypto-Binding and a few vendor ones are all that exist.
const TLVS_MAX: usize = 16;
const FLAG_MANDATORY: u16 = 0x8000;
const TYPE_MASK: u16 = 0x3FFF;
const TYPE_RESULT: u16 = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResultStatus {
    Success,
    Failure,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tlv<'a> {
    /// Always mandatory.
    Result(ResultStatus),
    Other {
        kind: u16,
        mandatory: bool,
        value: &'a [u8],
    },
}

/// None: not a list of TLVs.
#[must_use]
pub fn decode_tlvs(mut bytes: &[u8]) -> Option<Vec<Tlv<'_>>> {
    let mut tlvs = Vec::new();
    while !bytes.is_empty() {
        let (&[t0, t1, l0, l1], rest) = bytes.split_first_chunk::<4>()?;
        let (head, length) = (u16::from_be_bytes([t0, t1]), usize::from(u16::from_be_bytes([l0, l1])));
        if rest.len() < length || tlvs.len() == TLVS_MAX {
            return None;
        }
        let (value, rest) = rest.split_at(length);
        tlvs.push(match (head & TYPE_MASK, value) {
            (TYPE_RESULT, [0, 1]) => Tlv::Result(ResultStatus::Success),
            (TYPE_RESULT, [0, 2]) => Tlv::Result(ResultStatus::Failure),
            (TYPE_RESULT, _) => return None,
            (kind, value) => Tlv::Other { kind, mandatory: head & FLAG_MANDATORY != 0, value },
        });
        bytes = rest;
    }
    Some(tlvs)
}

#[must_use]
pub fn encode_tlvs(tlvs: &[Tlv<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for tlv in tlvs {
        let (head, value): (u16, &[u8]) = match *tlv {
            Tlv::Result(ResultStatus::Success) => (TYPE_RESULT | FLAG_MANDATORY, &[0, 1]),
            Tlv::Result(ResultStatus::Failure) => (TYPE_RESULT | FLAG_MANDATORY, &[0, 2]),
            Tlv::Other { kind, mandatory, value } => {
                ((kind & TYPE_MASK) | if mandatory { FLAG_MANDATORY } else { 0 }, value)
            }
        };
        let value = &value[..value.len().min(usize::from(u16::MAX))];
        out.extend_from_slice(&head.to_be_bytes());
        out.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
        out.extend_from_slice(value);
    }
    out
}
