//! What a device offered when TLS found nothing in common with it: read from its ClientHello (RFC 8446 4.1.2, RFC 5246 7.4.1.2), only
//! to tell people what is too old. It decides nothing; rustls has done that.

/// Extension supported_versions (RFC 8446 4.2.1).
const SUPPORTED_VERSIONS: u16 = 43;

/// What stands in a ClientHello.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientHello {
    /// The newest version offered, as on the wire: 0x0301 is TLS 1.0.
    pub newest_version: u16,
    pub suites: Vec<u16>,
}

impl ClientHello {
    /// Reads it from the TLS records of a device's first message. None: it is not there, or not whole.
    #[must_use]
    pub fn decode(records: &[u8]) -> Option<Self> {
        let handshake = joined(records)?;
        let (&[1, l0, l1, l2], rest) = handshake.split_first_chunk::<4>()? else { return None };
        let length = usize::try_from(u32::from_be_bytes([0, l0, l1, l2])).ok()?;
        let mut body = Bytes(rest.get(..length)?);
        let legacy_version = body.u16()?;
        body.take(32)?; // random
        body.with_u8_length()?; // session id
        let suites = pairs(body.with_u16_length()?);
        body.with_u8_length()?; // compression
        let newest_version = newest_supported(&mut body).unwrap_or(legacy_version);
        Some(Self { newest_version, suites })
    }

    /// The name of its newest version, if TLS has gone beyond it.
    #[must_use]
    pub const fn outdated_version(&self) -> Option<&'static str> {
        match self.newest_version {
            0x0302 => Some("TLS 1.1"),
            0x0301 => Some("TLS 1.0"),
            version if version < 0x0301 => Some("SSL"),
            _ => None,
        }
    }

    /// What its cipher suites are, if all of them are of the past, or for certificates of another kind than ours.
    #[must_use]
    pub fn outdated_suites(&self) -> Option<&'static str> {
        let has = |is: fn(u16) -> bool| self.suites.iter().copied().any(is);
        if has(|suite| matches!(suite, 0x1301..=0x1303 | 0xC02B | 0xC02C | 0xCCA9)) {
            None
        } else if has(|suite| matches!(suite, 0xC02F | 0xC030 | 0xCCA8)) {
            Some("cipher suites for RSA certificates only")
        } else if has(|suite| matches!(suite, 0xC006..=0xC00A | 0xC010..=0xC014 | 0xC023..=0xC02A | 0xC072..=0xC079)) {
            Some("cipher suites with CBC only")
        } else if has(is_dhe) {
            Some("key exchange by DHE or RSA only")
        } else {
            Some("key exchange by RSA only")
        }
    }
}

const fn is_dhe(suite: u16) -> bool {
    matches!(suite, 0x0011..=0x0016 | 0x0032 | 0x0033 | 0x0038 | 0x0039 | 0x0067 | 0x006B | 0x009E | 0x009F)
}

/// The handshake bytes of all records.
fn joined(mut records: &[u8]) -> Option<Vec<u8>> {
    let mut handshake = Vec::with_capacity(records.len());
    while let Some((&[22, _, _, high, low], rest)) = records.split_first_chunk::<5>() {
        let length = usize::from(u16::from_be_bytes([high, low]));
        handshake.extend_from_slice(rest.get(..length)?);
        records = rest.get(length..)?;
    }
    Some(handshake)
}

/// The newest of the supported versions. Values such as 0x0A0A are there to be ignored (RFC 8701).
fn newest_supported(body: &mut Bytes<'_>) -> Option<u16> {
    let mut extensions = Bytes(body.with_u16_length()?);
    loop {
        let kind = extensions.u16()?;
        let data = extensions.with_u16_length()?;
        if kind == SUPPORTED_VERSIONS {
            let versions = pairs(Bytes(data).with_u8_length()?);
            return versions.into_iter().filter(|version| version & 0x0F0F != 0x0A0A).max();
        }
    }
}

fn pairs(bytes: &[u8]) -> Vec<u16> {
    bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect()
}

/// Bytes that are read from the front.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
    }

    fn with_u8_length(&mut self) -> Option<&'a [u8]> {
        let length = usize::from(*self.take(1)?.first()?);
        self.take(length)
    }

    fn with_u16_length(&mut self) -> Option<&'a [u8]> {
        let length = usize::from(self.u16()?);
        self.take(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TLS_1_2: u16 = 0x0303;

    /// A ClientHello of one record.
    fn hello(legacy: u16, suites: &[u16], versions: Option<&[u16]>) -> Vec<u8> {
        let wide = |values: &[u16]| values.iter().flat_map(|value| value.to_be_bytes()).collect::<Vec<u8>>();
        let mut body = legacy.to_be_bytes().to_vec();
        body.extend([7; 32]);
        body.push(0);
        body.extend(((suites.len() * 2) as u16).to_be_bytes());
        body.extend(wide(suites));
        body.extend([1, 0]);
        if let Some(versions) = versions {
            let list = [&[(versions.len() * 2) as u8][..], &wide(versions)].concat();
            let extension = [&[0, 10, 0, 2, 0, 0, 0, 43][..], &(list.len() as u16).to_be_bytes(), &list].concat();
            body.extend((extension.len() as u16).to_be_bytes());
            body.extend(extension);
        }
        let handshake = [&[1][..], &(body.len() as u32).to_be_bytes()[1..], &body].concat();
        [&[22, 3, 1][..], &(handshake.len() as u16).to_be_bytes(), &handshake].concat()
    }

    #[test]
    fn the_newest_version_is_told() {
        let newest = |legacy, versions| {
            ClientHello::decode(&hello(legacy, &[0x002F], versions))
                .map(|hello| (hello.newest_version, hello.outdated_version()))
        };
        assert_eq!(newest(0x0301, None), Some((0x0301, Some("TLS 1.0"))));
        assert_eq!(newest(0x0302, None), Some((0x0302, Some("TLS 1.1"))));
        assert_eq!(newest(0x0300, None), Some((0x0300, Some("SSL"))));
        assert_eq!(newest(TLS_1_2, None), Some((TLS_1_2, None)));
        assert_eq!(newest(TLS_1_2, Some(&[0x0A0A, 0x0302, 0x0301])), Some((0x0302, Some("TLS 1.1"))));
        assert_eq!(newest(TLS_1_2, Some(&[0x0304, TLS_1_2])), Some((0x0304, None)));
    }

    #[test]
    fn old_suites_are_named() {
        let named =
            |suites: &[u16]| ClientHello::decode(&hello(TLS_1_2, suites, None)).map(|hello| hello.outdated_suites());
        assert_eq!(named(&[0x002F, 0x0035, 0x009C, 0x00FF]), Some(Some("key exchange by RSA only")));
        assert_eq!(named(&[0x0033, 0x002F]), Some(Some("key exchange by DHE or RSA only")));
        assert_eq!(named(&[0xC009, 0x002F]), Some(Some("cipher suites with CBC only")));
        assert_eq!(named(&[0xC02F, 0xC009]), Some(Some("cipher suites for RSA certificates only")));
        assert_eq!(named(&[0xC02B, 0x002F]), Some(None));
        assert_eq!(named(&[0x1301]), Some(None));
    }

    #[test]
    fn a_hello_in_several_records_is_read_and_half_a_one_is_not() {
        let whole = hello(0x0301, &[0x002F], None);
        let (head, tail) = whole[5..].split_at(20);
        let record = |part: &[u8]| [&[22, 3, 1, 0, part.len() as u8][..], part].concat();
        let cut = [record(head), record(tail)].concat();
        assert_eq!(ClientHello::decode(&cut), ClientHello::decode(&whole));
        for length in 0..whole.len() {
            assert_eq!(ClientHello::decode(&whole[..length]), None, "{length}");
        }
        assert_eq!(ClientHello::decode(&[21, 3, 1, 0, 2, 2, 40]), None);
    }
}
