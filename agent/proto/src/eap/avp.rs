//! The AVPs of EAP-TTLS phase 2 (RFC 5281 10.1): code, flags, length, perhaps a vendor, data, padding to four bytes.
//! It knows no attribute by name.

/// Most AVPs in one message: PAP has two, MS-CHAP-V2 three; clients add a handful of optional ones.
pub const AVPS_MAX: usize = 32;

const FLAG_VENDOR: u8 = 0x80;
const FLAG_MANDATORY: u8 = 0x40;
/// Code, flags and length.
const HEADER_BYTES: usize = 8;
/// AVP Length is a field of 24 bits.
const LENGTH_MAX: usize = 0x00FF_FFFF;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Avp<'a> {
    pub code: u32,
    /// None is the RADIUS space; so is vendor 0.
    pub vendor: Option<u32>,
    /// A receiver that does not know this AVP must refuse the message.
    pub mandatory: bool,
    pub data: &'a [u8],
}

/// The bytes are not a list of AVPs, or hold more than `AVPS_MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedAvp;

/// Reads AVPs to the end of `bytes`. The padding of the last one may be missing, as some clients send it.
pub fn decode_avps(mut bytes: &[u8]) -> Result<Vec<Avp<'_>>, MalformedAvp> {
    let mut avps = Vec::new();
    while !bytes.is_empty() {
        if avps.len() == AVPS_MAX {
            return Err(MalformedAvp);
        }
        let (avp, rest) = decode_avp(bytes)?;
        avps.push(avp);
        bytes = rest;
    }
    Ok(avps)
}

fn decode_avp(bytes: &[u8]) -> Result<(Avp<'_>, &[u8]), MalformedAvp> {
    let (header, _) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or(MalformedAvp)?;
    let [c0, c1, c2, c3, flags, l0, l1, l2] = *header;
    let length = usize::try_from(u32::from_be_bytes([0, l0, l1, l2])).map_err(|_| MalformedAvp)?;
    let mut data = bytes.get(HEADER_BYTES..length).ok_or(MalformedAvp)?;
    let mut vendor = None;
    if flags & FLAG_VENDOR != 0 {
        let (id, rest) = data.split_first_chunk::<4>().ok_or(MalformedAvp)?;
        vendor = Some(u32::from_be_bytes(*id)).filter(|&id| id != 0);
        data = rest;
    }
    let rest = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    let code = u32::from_be_bytes([c0, c1, c2, c3]);
    Ok((Avp { code, vendor, mandatory: flags & FLAG_MANDATORY != 0, data }, rest))
}

/// Writes AVPs, each padded. Data beyond 16 MiB, which no caller has, is cut.
#[must_use]
pub fn encode_avps(avps: &[Avp<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for avp in avps {
        let vendor = avp.vendor.filter(|&id| id != 0);
        let header = HEADER_BYTES + if vendor.is_some() { 4 } else { 0 };
        let data = &avp.data[..avp.data.len().min(LENGTH_MAX - header)];
        let length = u32::try_from(header + data.len()).unwrap_or(u32::MAX);
        let mut flags = if vendor.is_some() { FLAG_VENDOR } else { 0 };
        flags |= if avp.mandatory { FLAG_MANDATORY } else { 0 };
        out.extend_from_slice(&avp.code.to_be_bytes());
        out.push(flags);
        out.extend_from_slice(&length.to_be_bytes()[1..]);
        out.extend(vendor.map(u32::to_be_bytes).into_iter().flatten());
        out.extend_from_slice(data);
        out.resize(out.len().next_multiple_of(4), 0);
    }
    out
}
