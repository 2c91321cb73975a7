//! Vendors' attributes and the profiles of access points, as small texts say them (configs/dictionaries), and the attributes that
//! a profile makes of somebody's terms. The texts are part of the program; the parser is strict and bounded all the same, since a
//! table with a slip in it would be sent to every access point of a make.
//!
//! Owns the format, whose words stand at the head of each text, and RFC 2865, 5.26 on vendors' attributes. It refuses to know who
//! has which terms.

use super::Writer;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;

/// The texts in configs/dictionaries, which are parsed as one.
const EMBEDDED: [&str; 2] = [
    include_str!("../../../../configs/dictionaries/vendors.txt"),
    include_str!("../../../../configs/dictionaries/profiles.txt"),
];

/// Ten times what the texts have now.
const TEXT_MAX_BYTES: usize = 64 * 1024;
/// As long as the lines of this project.
const LINE_MAX_BYTES: usize = 200;
/// The longest name in FreeRADIUS's dictionaries has 59.
const NAME_MAX_BYTES: usize = 64;
/// FreeRADIUS knows some 200 vendors and no vendor has more than 255 attributes in the format of RFC 2865.
const VENDORS_MAX: usize = 256;
const ATTRIBUTES_MAX: usize = 1_024;
const PROFILES_MAX: usize = 64;
/// An Access-Accept has 4,096 octets and these are beside the session keys.
const CARRIED_MAX: usize = 16;
/// RFC 2865, 5.26: the high octet of Vendor-Id is 0.
const VENDOR_NUMBER_MAX: u32 = 0x00FF_FFFF;

/// What is wrong with a text, and in which line (from 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DictionaryError {
    pub line: usize,
    pub what: &'static str,
}

impl fmt::Display for DictionaryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for DictionaryError {}

/// The terms of a session that are said in vendors' attributes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VendorTerms<'a> {
    pub up_kbit: Option<u32>,
    pub down_kbit: Option<u32>,
    pub vlan: Option<u16>,
    pub vlan_name: Option<&'a str>,
}

/// What an attribute tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    UpBit,
    DownBit,
    UpKbit,
    DownKbit,
    UpAndDownBit,
    Vlan,
    VlanName,
    VlanZero,
}

impl Meaning {
    const ALL: [(&'static str, Self); 8] = [
        ("up-bit", Self::UpBit),
        ("down-bit", Self::DownBit),
        ("up-kbit", Self::UpKbit),
        ("down-kbit", Self::DownKbit),
        ("up/down-bit", Self::UpAndDownBit),
        ("vlan", Self::Vlan),
        ("vlan-name", Self::VlanName),
        ("vlan-zero", Self::VlanZero),
    ];

    const fn kind(self) -> Kind {
        match self {
            Self::UpAndDownBit | Self::VlanName => Kind::Text,
            Self::UpBit | Self::DownBit | Self::UpKbit | Self::DownKbit | Self::Vlan | Self::VlanZero => Kind::Integer,
        }
    }

    /// The value under these terms; none when they do not have it.
    fn value(self, terms: &VendorTerms<'_>) -> Option<Vec<u8>> {
        let integer = |number: u32| number.to_be_bytes().to_vec();
        let bits = |kbit: u32| u64::from(kbit) * 1_000;
        let bits_or_most = |kbit: u32| integer(u32::try_from(bits(kbit)).unwrap_or(u32::MAX));
        match self {
            Self::UpBit => terms.up_kbit.map(bits_or_most),
            Self::DownBit => terms.down_kbit.map(bits_or_most),
            Self::UpKbit => terms.up_kbit.map(integer),
            Self::DownKbit => terms.down_kbit.map(integer),
            Self::UpAndDownBit => match (terms.up_kbit, terms.down_kbit) {
                (None, None) => None,
                (up, down) => {
                    let (up, down) = (up.map_or(0, bits), down.map_or(0, bits));
                    Some(format!("{up}/{down}").into_bytes())
                }
            },
            Self::Vlan => terms.vlan.map(|vlan| integer(u32::from(vlan))),
            Self::VlanName => terms.vlan_name.map(|name| name.as_bytes().to_vec()),
            Self::VlanZero => terms.vlan.map(|_| integer(0)),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Integer,
    Text,
}

/// A vendor's attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct VendorAttribute {
    vendor: u32,
    number: u8,
    kind: Kind,
}

/// What a CoA-Request can change while a device is connected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Adjustable {
    pub rates: bool,
    pub idle_timeout: bool,
    pub session_timeout: bool,
}

/// One make of access point.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    carried: Vec<(VendorAttribute, Meaning)>,
    /// Whether Tunnel-Private-Group-Id may hold a name.
    pub vlan_by_name: bool,
    pub adjustable: Adjustable,
}

impl Profile {
    /// Adds the vendors' attributes that these terms come to.
    #[must_use]
    pub fn write(&self, writer: Writer, terms: &VendorTerms<'_>) -> Writer {
        self.carried.iter().fold(writer, |writer, (attribute, meaning)| match meaning.value(terms) {
            Some(value) => writer.vendor(attribute.vendor, attribute.number, &value),
            None => writer,
        })
    }
}

/// The profiles of one text, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dictionaries {
    profiles: BTreeMap<String, Profile>,
}

impl Dictionaries {
    /// The texts of configs/dictionaries.
    #[must_use]
    pub fn embedded() -> &'static Self {
        static EMBEDDED_ONCE: OnceLock<Dictionaries> = OnceLock::new();
        EMBEDDED_ONCE
            .get_or_init(|| Self::parse(&EMBEDDED.concat()).expect("a test parses the texts that are built in"))
    }

    #[must_use]
    pub fn profile(&self, name: &str) -> Option<&Profile> {
        self.profiles.get(name)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.profiles.keys().map(String::as_str)
    }

    /// Reads a text.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn parse(text: &str) -> Result<Self, DictionaryError> {
        if text.len() > TEXT_MAX_BYTES {
            return Err(DictionaryError { line: 1, what: "the text is too long" });
        }
        let mut reader = Reader::default();
        for (index, line) in text.lines().enumerate() {
            reader.line(line).map_err(|what| DictionaryError { line: index + 1, what })?;
        }
        Ok(Self { profiles: reader.profiles })
    }
}

/// What was read so far.
#[derive(Default)]
struct Reader {
    vendors: BTreeMap<String, u32>,
    vendor: Option<u32>,
    attributes: BTreeMap<String, VendorAttribute>,
    profiles: BTreeMap<String, Profile>,
    profile: Option<String>,
}

impl Reader {
    fn line(&mut self, line: &str) -> Result<(), &'static str> {
        if line.len() > LINE_MAX_BYTES {
            return Err("the line is too long");
        }
        if line.trim_start().starts_with('#') {
            return Ok(());
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [] => Ok(()),
            ["vendor", name, number] => self.vendor(name, number),
            ["attribute", name, number, kind] => self.attribute(name, number, kind),
            ["profile", name] => self.begin_profile(name),
            ["carry", attribute, meaning] => self.carry(attribute, meaning),
            ["vlan-by-name"] => self.profile().map(|profile| profile.vlan_by_name = true),
            ["adjust", what @ ..] if !what.is_empty() => what.iter().try_for_each(|word| self.adjust(word)),
            _ => Err("expected vendor, attribute, profile, carry, vlan-by-name or adjust with their words"),
        }
    }

    fn vendor(&mut self, name: &str, number: &str) -> Result<(), &'static str> {
        let number: u32 = number.parse().map_err(|_| "the vendor's number is not one")?;
        let is_taken = self.vendors.contains_key(name) || self.vendors.values().any(|&known| known == number);
        if is_taken || self.vendors.len() >= VENDORS_MAX {
            return Err("the vendor stands there already, or there are too many");
        }
        if !(1..=VENDOR_NUMBER_MAX).contains(&number) {
            return Err("the vendor's number is out of range");
        }
        self.vendors.insert(checked(name)?, number);
        self.vendor = Some(number);
        Ok(())
    }

    fn attribute(&mut self, name: &str, number: &str, kind: &str) -> Result<(), &'static str> {
        let vendor = self.vendor.ok_or("the attribute has no vendor above it")?;
        let number = number.parse().ok().filter(|&number: &u8| number > 0).ok_or("the number is not 1 to 255")?;
        let kind = match kind {
            "integer" => Kind::Integer,
            "text" => Kind::Text,
            _ => return Err("the type is neither integer nor text"),
        };
        let is_same = |known: &VendorAttribute| (known.vendor, known.number) == (vendor, number);
        if self.attributes.contains_key(name) || self.attributes.values().any(is_same) {
            return Err("the attribute stands there already");
        }
        if self.attributes.len() >= ATTRIBUTES_MAX {
            return Err("there are too many attributes");
        }
        self.attributes.insert(checked(name)?, VendorAttribute { vendor, number, kind });
        Ok(())
    }

    fn begin_profile(&mut self, name: &str) -> Result<(), &'static str> {
        if self.profiles.contains_key(name) || self.profiles.len() >= PROFILES_MAX {
            return Err("the profile stands there already, or there are too many");
        }
        let name = checked(name)?;
        self.profiles.insert(name.clone(), Profile::default());
        self.profile = Some(name);
        Ok(())
    }

    fn profile(&mut self) -> Result<&mut Profile, &'static str> {
        let profile = self.profile.as_ref().and_then(|name| self.profiles.get_mut(name));
        profile.ok_or("there is no profile above it")
    }

    fn carry(&mut self, attribute: &str, meaning: &str) -> Result<(), &'static str> {
        let attribute = *self.attributes.get(attribute).ok_or("there is no such attribute")?;
        let meaning = Meaning::ALL.into_iter().find(|(word, _)| *word == meaning).map(|(_, meaning)| meaning);
        let meaning = meaning.ok_or("there is no such meaning")?;
        if meaning.kind() != attribute.kind {
            return Err("the attribute is of another type than its meaning");
        }
        let profile = self.profile()?;
        if profile.carried.iter().any(|(known, _)| *known == attribute) || profile.carried.len() >= CARRIED_MAX {
            return Err("the profile carries this attribute already, or too many");
        }
        profile.carried.push((attribute, meaning));
        Ok(())
    }

    fn adjust(&mut self, what: &str) -> Result<(), &'static str> {
        let adjustable = &mut self.profile()?.adjustable;
        match what {
            "rates" => adjustable.rates = true,
            "idle-timeout" => adjustable.idle_timeout = true,
            "session-timeout" => adjustable.session_timeout = true,
            _ => return Err("only rates, idle-timeout and session-timeout can be adjusted"),
        }
        Ok(())
    }
}

fn checked(name: &str) -> Result<String, &'static str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if (1..=NAME_MAX_BYTES).contains(&name.len()) && name.bytes().all(is_plain) {
        Ok(name.to_owned())
    } else {
        Err("a name has 1 to 64 letters, digits and hyphens")
    }
}

#[cfg(test)]
mod tests;
