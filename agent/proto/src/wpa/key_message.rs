//! Message 2 of the 4-way handshake, as a device sent it: an EAPOL-Key frame in clear, with a MIC over all of it.
//! IEEE 802.11-2020, 12.7.2 (the frame), 12.7.6.3 (message 2), 9.4.2.24 (the RSN element).

use std::fmt;

/// EAPOL version, type and length (IEEE 802.1X-2004, 7.5).
const HEADER_BYTES: usize = 4;
/// From the descriptor type to the length of the key data.
const BODY_MIN_BYTES: usize = 95;
/// The longest frame that is looked at. An M2 has some 120 octets, with all elements that fast roaming adds some 350, and it has
/// to fit into RADIUS attributes.
pub const FRAME_MAX_BYTES: usize = 1_024;
pub(super) const MIC_BYTES: usize = 16;
const MIC_AT: usize = 81;
const SNONCE_AT: usize = 17;
const EAPOL_KEY: u8 = 3;
const DESCRIPTOR_RSN: u8 = 2;
// Bits of the key information (12.7.2, figure 12-34).
const VERSION_MASK: u16 = 0x0007;
const PAIRWISE: u16 = 0x0008;
const ACK: u16 = 0x0080;
const MIC: u16 = 0x0100;
const SECURE: u16 = 0x0200;
/// The element that names the key management (9.4.2.24), and the suites of 00-0F-AC in it (table 9-151).
const ELEMENT_RSN: u8 = 48;
const OUI: [u8; 3] = [0x00, 0x0F, 0xAC];
const AKM_FT_PSK: u8 = 4;
const AKM_SAE: [u8; 4] = [8, 9, 24, 25];

/// Why a frame cannot be checked against a passphrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyMessageError {
    /// It is no EAPOL-Key frame, or not the second message.
    Malformed,
    /// WPA of 2003 with TKIP.
    OldWpa,
    /// Fast roaming (802.11r) with a passphrase: its keys come from elements that access points do not pass on.
    FastRoaming,
    /// WPA3: the passphrase was proven before, and no key message shows which one it was.
    Sae,
}

impl fmt::Display for KeyMessageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "no second message of a 4-way handshake",
            Self::OldWpa => "WPA with TKIP",
            Self::FastRoaming => "fast roaming with a passphrase (FT-PSK)",
            Self::Sae => "WPA3-Personal (SAE)",
        })
    }
}

impl std::error::Error for KeyMessageError {}

/// How the MIC is made: by the key descriptor version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Integrity {
    /// Version 2: PRF and HMAC with SHA-1.
    Sha1,
    /// Version 3: KDF with SHA-256, AES-128-CMAC.
    Cmac,
}

/// A frame that is message 2 and can be checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyMessage {
    /// The whole frame with zeros where the MIC stands.
    frame: Vec<u8>,
    pub(super) snonce: [u8; 32],
    pub(super) mic: [u8; MIC_BYTES],
    pub(super) integrity: Integrity,
}

impl KeyMessage {
    /// Reads a frame from its EAPOL header on. What stands behind its length is padding.
    ///
    /// # Errors
    /// Why it cannot be checked.
    pub fn decode(bytes: &[u8]) -> Result<Self, KeyMessageError> {
        let malformed = KeyMessageError::Malformed;
        let (&[_version, kind, high, low], _) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or(malformed)?;
        let length = HEADER_BYTES + usize::from(u16::from_be_bytes([high, low]));
        let is_sound = kind == EAPOL_KEY && (HEADER_BYTES + BODY_MIN_BYTES..=FRAME_MAX_BYTES).contains(&length);
        let frame = bytes.get(..length).filter(|_| is_sound).ok_or(malformed)?;
        if frame[4] != DESCRIPTOR_RSN {
            return Err(KeyMessageError::OldWpa);
        }
        let information = u16::from_be_bytes([frame[5], frame[6]]);
        if information & (PAIRWISE | MIC | ACK | SECURE) != PAIRWISE | MIC {
            return Err(malformed);
        }
        let data_length = usize::from(u16::from_be_bytes([frame[97], frame[98]]));
        let data = frame.get(99..99 + data_length).ok_or(malformed)?;
        let akm = akm(data);
        let integrity = match (information & VERSION_MASK, akm) {
            (_, Some(akm)) if AKM_SAE.contains(&akm) => return Err(KeyMessageError::Sae),
            (_, Some(AKM_FT_PSK)) => return Err(KeyMessageError::FastRoaming),
            (2, _) => Integrity::Sha1,
            (3, _) => Integrity::Cmac,
            (1, _) => return Err(KeyMessageError::OldWpa),
            (0, _) => return Err(KeyMessageError::Sae),
            (_, _) => return Err(malformed),
        };
        let snonce = *frame[SNONCE_AT..].first_chunk().ok_or(malformed)?;
        let mic = *frame[MIC_AT..].first_chunk().ok_or(malformed)?;
        let mut frame = frame.to_vec();
        frame[MIC_AT..MIC_AT + MIC_BYTES].fill(0);
        Ok(Self { frame, snonce, mic, integrity })
    }

    pub(super) fn without_mic(&self) -> &[u8] {
        &self.frame
    }
}

/// The last octet of the first key management suite that the device's RSN element names, if that is one of 00-0F-AC.
fn akm(mut data: &[u8]) -> Option<u8> {
    while let [element, length, rest @ ..] = data {
        let (content, next) = rest.split_at_checked(usize::from(*length))?;
        if *element == ELEMENT_RSN {
            // Version (2), group cipher (4), count and pairwise ciphers, count and key management suites.
            let pairwise = usize::from(u16::from_le_bytes(*content.get(6..)?.first_chunk()?));
            let suites = content.get(8 + 4 * pairwise..)?;
            let (count, suites) = suites.split_first_chunk::<2>()?;
            let (suite, _) = suites.split_first_chunk::<4>()?;
            return (u16::from_le_bytes(*count) > 0 && suite[..3] == OUI).then_some(suite[3]);
        }
        data = next;
    }
    None
}
