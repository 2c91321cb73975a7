//! The texts that are built in, what each profile sends, and texts with one thing wrong.

use super::super::{Code, Packet};
use super::*;

const HEAD: &str = "vendor V 9\nattribute V-Up 1 integer\nattribute V-Both 2 text\nprofile p\n";

/// Vendor, number and value of each vendor's attribute that a profile sends.
fn sent(profile: &str, terms: &VendorTerms<'_>) -> Vec<(u32, u8, Vec<u8>)> {
    let profile = Dictionaries::embedded().profile(profile).expect("a known profile");
    let writer = profile.write(Writer::reply_to(Code::AccessAccept, 1, [0; 16], Vec::new()), terms);
    let datagram = writer.finish(b"testing123").expect("it fits");
    let packet = Packet::decode(&datagram).expect("it can be read");
    let vendors = packet.all(super::super::AttributeType::VENDOR_SPECIFIC);
    let read = |value: &[u8]| {
        let vendor = u32::from_be_bytes(value[..4].try_into().expect("four octets"));
        assert_eq!(usize::from(value[5]), value.len() - 4, "Vendor-Length");
        (vendor, value[4], value[6..].to_vec())
    };
    vendors.map(read).collect()
}

fn number(value: u32) -> Vec<u8> {
    value.to_be_bytes().to_vec()
}

#[test]
fn each_make_is_told_the_terms_in_its_own_attributes() {
    let terms =
        VendorTerms { up_kbit: Some(10_000), down_kbit: Some(50_000), vlan: Some(11), vlan_name: Some("studio") };
    let wispr = [(14_122, 7, number(10_000_000)), (14_122, 8, number(50_000_000))];
    type Sent = (u32, u8, Vec<u8>);
    let cases: [(&str, Vec<Sent>); 8] = [
        ("generic", vec![]),
        ("hostapd", vec![]),
        ("unifi", vec![(41_112, 3, number(10_000_000)), (41_112, 1, number(50_000_000))]),
        ("aruba", vec![(14_823, 2, number(11)), (14_823, 9, b"studio".to_vec())]),
        (
            "cisco",
            vec![
                (14_179, 7, number(50_000)),
                (14_179, 8, number(50_000)),
                (14_179, 13, number(10_000)),
                (14_179, 14, number(10_000)),
            ],
        ),
        (
            "mikrotik",
            vec![(14_988, 8, b"10000000/50000000".to_vec()), (14_988, 26, number(11)), (14_988, 27, number(0))],
        ),
        ("ruckus", vec![]),
        ("mist", vec![]),
    ];
    assert_eq!(Dictionaries::embedded().names().count(), cases.len());
    for (profile, own) in cases {
        assert_eq!(sent(profile, &terms), [&wispr[..], &own].concat(), "{profile}");
        assert_eq!(sent(profile, &VendorTerms::default()), [], "{profile}: no terms, nothing to say");
    }
}

#[test]
fn one_rate_alone_leaves_the_other_free_and_a_rate_beyond_the_field_is_the_most_it_can_say() {
    let only_down = VendorTerms { down_kbit: Some(5_000_000), ..VendorTerms::default() };
    assert_eq!(sent("mikrotik", &only_down), [(14_122, 8, number(u32::MAX)), (14_988, 8, b"0/5000000000".to_vec())]);
}

#[test]
fn a_text_with_one_thing_wrong_is_refused_in_its_line() {
    let long = format!("vendor {} 1", "x".repeat(65));
    let cases = [
        ("vendor V nine", 1),
        ("vendor V 0", 1),
        ("vendor V 16777216", 1),
        ("vendor V 9\nvendor V 10", 2),
        ("vendor V 9\nvendor W 9", 2),
        ("vendor V! 9", 1),
        (long.as_str(), 1),
        ("attribute A 1 integer", 1),
        ("vendor V 9\nattribute A 0 integer", 2),
        ("vendor V 9\nattribute A 256 integer", 2),
        ("vendor V 9\nattribute A 1 octets", 2),
        ("vendor V 9\nattribute A 1 text\nattribute A 2 text", 3),
        ("vendor V 9\nattribute A 1 text\nattribute B 1 text", 3),
        ("profile p\nprofile p", 2),
        ("vlan-by-name", 1),
        ("profile p\nadjust", 2),
        ("profile p\nadjust vlan", 2),
        ("profile p\ncarry V-Up up-bit", 2),
        ("nonsense", 1),
        ("vendor V 9 10", 1),
    ];
    for (text, line) in cases {
        assert_eq!(Dictionaries::parse(text).map_err(|error| error.line), Err(line), "{text}");
    }
    for (more, line) in [
        ("carry V-Up up/down-bit", 5),
        ("carry V-Both up-bit", 5),
        ("carry V-Up sideways", 5),
        ("carry V-Up up-bit\ncarry V-Up down-bit", 6),
    ] {
        assert_eq!(Dictionaries::parse(&format!("{HEAD}{more}")).map_err(|error| error.line), Err(line), "{more}");
    }
    assert!(Dictionaries::parse(&format!("{HEAD}carry V-Up up-bit\n# a remark\n\nadjust rates")).is_ok());
    assert!(Dictionaries::parse(&"#\n".repeat(TEXT_MAX_BYTES)).is_err());
    assert!(Dictionaries::parse(&"# long".repeat(40)).is_err());
}

/// Where FreeRADIUS's dictionaries are installed, the numbers are compared with them.
#[test]
fn the_numbers_are_those_of_freeradius() {
    let folder = std::path::Path::new("/usr/share/freeradius");
    let mut compared = 0;
    for (file, vendor) in [("wispr", 14_122), ("mikrotik", 14_988), ("airespace", 14_179), ("aruba", 14_823)] {
        let Ok(text) = std::fs::read_to_string(folder.join(format!("dictionary.{file}"))) else { continue };
        let ours = ours(vendor);
        assert!(!ours.is_empty(), "{file}");
        for (name, number) in ours {
            let line = text
                .lines()
                .map(|line| line.split_whitespace().collect::<Vec<_>>())
                .find(|words| matches!(words.as_slice(), ["ATTRIBUTE", known, ..] if *known == name));
            assert_eq!(line.map(|words| words[2].to_owned()), Some(number), "{name}");
            compared += 1;
        }
    }
    assert!(compared > 0 || !folder.exists(), "nothing was compared");
}

fn ours(vendor: u32) -> Vec<(String, String)> {
    let mut current = 0;
    let mut found = Vec::new();
    for line in EMBEDDED[0].lines() {
        match line.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["vendor", _, number] => current = number.parse().expect("it was parsed before"),
            ["attribute", name, number, _] if current == vendor => {
                found.push(((*name).to_owned(), (*number).to_owned()))
            }
            _ => {}
        }
    }
    found
}
