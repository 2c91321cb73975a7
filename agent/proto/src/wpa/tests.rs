//! Known answers: IEEE 802.11 J.3 and J.4, a handshake that an access point captured (FreeRADIUS's own test of its DPSK module),
//! and one with SHA-256 and CMAC that was made with Python's hashlib and OpenSSL's CMAC.

use super::*;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn array<const N: usize>(text: &str) -> [u8; N] {
    hex(text).try_into().unwrap()
}

const SSID: &[u8] = b"Andrena_39_Lincoln";
const PASSPHRASE: &str = "Pancakes1124";
const PMK: &str = "44a4f34b6270fccb7dffa8c9e610e3b80f021c8165bcf53c99c3f818167982ab";
const ANONCE: &str = "4df70a4285c5c61f177cdbfc29d7e3cac94167f6101f1bcab420dd50c4f8809d";
const M2: &str = "0203007502010a00100000000000000001c3bb319516614aacfb44e933bf1671131fb1856e5b2721952d414ce3f5aa312b
    000000000000000000000000000000000000000000000000000000000000000035cddcedad0dfb6a12a2eca55c17c3230016
    30140100000fac040100000fac040100000fac028c00";
const POINT: MacAddress = MacAddress([0x34, 0xef, 0xb6, 0xaf, 0x48, 0x9e]);
const DEVICE: MacAddress = MacAddress([0x8a, 0xb3, 0xa0, 0xeb, 0xd5, 0xe5]);

fn captured() -> Handshake {
    Handshake::new(POINT, DEVICE, &array(ANONCE), KeyMessage::decode(&hex(M2)).unwrap())
}

#[test]
fn passphrases_become_the_keys_of_ieee_802_11_j_4() {
    for (passphrase, ssid, expected) in [
        ("password", "IEEE", "f42c6fc52df0ebef9ebb4b90b38a5f902e83fe1b135a70e23aed762e9710a12e"),
        ("ThisIsAPassword", "ThisIsASSID", "0dc0d6eb90555ed6419756b9a15ec3e3209b63df707dd508d14581f8982721af"),
        (
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "ZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZ",
            "becb93866bb8c3832cb777c2f559807c8c59afcb6eae734885001300a981cc62",
        ),
    ] {
        assert_eq!(pmk(passphrase, ssid.as_bytes()).expose(), &array::<32>(expected), "{ssid}");
    }
}

#[test]
fn the_prf_gives_the_answers_of_ieee_802_11_j_3() {
    let prf = |key: &[u8], label: &str, data: &[u8], length: usize| -> Vec<u8> {
        (0..4).flat_map(|n| prf_round(key, label.as_bytes(), data, n)).take(length).collect()
    };
    for (key, label, data, expected) in [
        (vec![0x0b; 20], "prefix", "Hi There", "bcd4c650b30b9684951829e0d75f9d54b862175ed9f00606"),
        (
            b"Jefe".to_vec(),
            "prefix-2",
            "what do ya want for nothing?",
            "47c4908e30c947521ad20be9053450ecbea23d3aa604b77326d8b3825ff7475c",
        ),
        (
            vec![0xaa; 80],
            "prefix-3",
            "Test Using Larger Than Block-Size Key - Hash Key First",
            "0ab6c33ccf70d0d736f4b04c8a7373255511abc5073713163bd0b8c9eeb7e1956fa066820a73ddee3f6d3bd407e0682a",
        ),
        (
            vec![0x0b; 20],
            "prefix-4",
            "Hi There Again",
            "248cfbc532ab38ffa483c8a2e40bf170eb542a2e0916d7bf6d97da2c4c5ca877736c53a65b03fa4b3745ce7613f6ad68e0e4a798b7cf691c96176fd634a59a49",
        ),
    ] {
        let expected = hex(expected);
        assert_eq!(prf(&key, label, data.as_bytes(), expected.len()), expected, "{label}");
    }
}

#[test]
fn a_captured_handshake_fits_its_own_passphrase_alone() {
    assert_eq!(pmk(PASSPHRASE, SSID).expose(), &array::<32>(PMK));
    let handshake = captured();
    assert!(handshake.fits(&pmk(PASSPHRASE, SSID)));
    for (passphrase, ssid) in [("Pancakes1125", SSID), (PASSPHRASE, b"Andrena_39_lincoln")] {
        assert!(!handshake.fits(&pmk(passphrase, ssid)));
    }
    let elsewhere = Handshake::new(MacAddress([2; 6]), DEVICE, &array(ANONCE), KeyMessage::decode(&hex(M2)).unwrap());
    assert!(!elsewhere.fits(&Secret::new(array(PMK))), "another access point");
    let mut nonce: [u8; 32] = array(ANONCE);
    nonce[31] ^= 1;
    let other = Handshake::new(POINT, DEVICE, &nonce, KeyMessage::decode(&hex(M2)).unwrap());
    assert!(!other.fits(&Secret::new(array(PMK))), "another nonce");
}

#[test]
fn every_octet_of_the_message_is_under_its_mic() {
    let whole = hex(M2);
    let pmk = Secret::new(array(PMK));
    // Version and type of EAPOL, the length and the descriptor decide how it is read; from the replay counter on all is content.
    for at in 7..whole.len() {
        let mut bent = whole.clone();
        bent[at] ^= 1;
        let Ok(message) = KeyMessage::decode(&bent) else { continue };
        assert!(!Handshake::new(POINT, DEVICE, &array(ANONCE), message).fits(&pmk), "octet {at}");
    }
    let padded = [whole.as_slice(), &[0; 7]].concat();
    assert_eq!(KeyMessage::decode(&padded), KeyMessage::decode(&whole));
}

#[test]
fn a_handshake_with_sha_256_and_cmac_is_checked_too() {
    // Key descriptor version 3 and the suite 00-0F-AC:6; nonces, addresses and passphrase are those of the capture.
    let m2 = hex(CMAC_M2);
    let handshake = Handshake::new(POINT, DEVICE, &array(ANONCE), KeyMessage::decode(&m2).unwrap());
    assert!(handshake.fits(&pmk(PASSPHRASE, SSID)));
    assert!(!handshake.fits(&pmk("Pancakes1125", SSID)));
}

const CMAC_M2: &str =
    "0203007502010b00100000000000000001c3bb319516614aacfb44e933bf1671131fb1856e5b2721952d414ce3f5aa312b
    000000000000000000000000000000000000000000000000000000000000000025a1cc696b00c41d821a203fcbaab5360016
    30140100000fac040100000fac040100000fac068c00";

#[test]
fn what_is_no_second_message_or_cannot_be_checked_is_told_apart() {
    let bent = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = hex(M2);
        change(&mut bytes);
        KeyMessage::decode(&bytes).unwrap_err()
    };
    let malformed = KeyMessageError::Malformed;
    assert_eq!(KeyMessage::decode(&[]), Err(malformed));
    assert_eq!(bent(&|m2| m2[1] = 0), malformed, "an EAP packet");
    assert_eq!(bent(&|m2| m2[3] = 0xff), malformed, "longer than it is");
    assert_eq!(bent(&|m2| m2[2] = 0xff), malformed, "longer than any");
    assert_eq!(bent(&|m2| m2[5] = 0x00), malformed, "without MIC");
    assert_eq!(bent(&|m2| m2[6] |= 0x80), malformed, "message 1 or 3");
    assert_eq!(bent(&|m2| m2[5] |= 0x02), malformed, "message 4");
    assert_eq!(bent(&|m2| m2[98] = 0x17), malformed, "more key data than there is");
    assert_eq!(bent(&|m2| m2[4] = 254), KeyMessageError::OldWpa);
    assert_eq!(bent(&|m2| m2[6] = 0x09), KeyMessageError::OldWpa);
    assert_eq!(bent(&|m2| m2[6] = 0x08), KeyMessageError::Sae);
    assert_eq!(bent(&|m2| m2[118] = 8), KeyMessageError::Sae);
    assert_eq!(bent(&|m2| m2[118] = 4), KeyMessageError::FastRoaming);
    for length in 0..hex(M2).len() {
        assert_eq!(KeyMessage::decode(&hex(M2)[..length]), Err(malformed), "{length} octets");
    }
}

#[test]
fn a_passphrase_is_what_ieee_802_11_lets_people_type() {
    for (text, is) in [
        ("1234567", false),
        ("12345678", true),
        (&*"x".repeat(63), true),
        (&*"x".repeat(64), false),
        ("with\ttab", false),
        ("smørrebrød", false),
        ("k7m2p-9qxrt", true),
    ] {
        assert_eq!(is_passphrase(text), is, "{text}");
    }
}
