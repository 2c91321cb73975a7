//! What a message is made of. Everything that RFC 8010 can carry has a place here, so that nothing a peer sent is dropped
//! unseen: sets of mixed syntax, sets inside collections, out-of-band values, syntaxes yet to be invented.

use super::code::StatusCode;
use std::borrow::Cow;

/// Names and keywords this program writes are constants; those it reads are owned.
pub type Str = Cow<'static, str>;

/// IPP version: 1.0, 1.1, 2.0 ...
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    pub major: u8,
    pub minor: u8,
}

impl Version {
    pub const V1_0: Self = Self { major: 1, minor: 0 };
    pub const V1_1: Self = Self { major: 1, minor: 1 };
    pub const V2_0: Self = Self { major: 2, minor: 0 };
}

/// A request or a response without its document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub version: Version,
    /// operation-id in a request, status-code in a response.
    pub code: u16,
    pub request_id: i32,
    pub groups: Vec<Group>,
}

impl Message {
    /// A response, or request, whose operation group begins with charset and language as RFC 8011 4.1.4 wants.
    #[must_use]
    pub fn new(version: Version, code: u16, request_id: i32) -> Self {
        let operation = Group {
            tag: GroupTag::Operation,
            attributes: vec![
                Attribute::new("attributes-charset", Value::Charset("utf-8".into())),
                Attribute::new("attributes-natural-language", Value::NaturalLanguage("en".into())),
            ],
        };
        Self { version, code, request_id, groups: vec![operation] }
    }

    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        StatusCode::from_code(self.code)
    }

    pub fn groups_of(&self, tag: GroupTag) -> impl Iterator<Item = &Group> {
        self.groups.iter().filter(move |group| group.tag == tag)
    }

    #[must_use]
    pub fn first(&self, tag: GroupTag) -> Option<&Group> {
        self.groups.iter().find(|group| group.tag == tag)
    }

    /// The attribute of that name in the first group of that tag.
    #[must_use]
    pub fn attribute(&self, tag: GroupTag, name: &str) -> Option<&Attribute> {
        self.first(tag)?.attribute(name)
    }
}

/// RFC 8010 3.5.1 and later registrations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum GroupTag {
    Operation = 0x01,
    Job = 0x02,
    Printer = 0x04,
    Unsupported = 0x05,
    Subscription = 0x06,
    EventNotification = 0x07,
    Resource = 0x08,
    Document = 0x09,
    System = 0x0a,
}

impl GroupTag {
    #[must_use]
    pub const fn from_tag(tag: u8) -> Option<Self> {
        Some(match tag {
            0x01 => Self::Operation,
            0x02 => Self::Job,
            0x04 => Self::Printer,
            0x05 => Self::Unsupported,
            0x06 => Self::Subscription,
            0x07 => Self::EventNotification,
            0x08 => Self::Resource,
            0x09 => Self::Document,
            0x0a => Self::System,
            _ => return None,
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub tag: GroupTag,
    pub attributes: Vec<Attribute>,
}

impl Group {
    #[must_use]
    pub const fn new(tag: GroupTag, attributes: Vec<Attribute>) -> Self {
        Self { tag, attributes }
    }

    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }
}

/// A named value or set of values; never without a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    name: Str,
    values: Vec<Value>,
}

impl Attribute {
    #[must_use]
    pub fn new(name: impl Into<Str>, value: Value) -> Self {
        Self { name: name.into(), values: vec![value] }
    }

    /// A 1setOf. RFC 8011 has no empty set: that is said by `no-value`.
    #[must_use]
    pub fn set(name: impl Into<Str>, values: impl IntoIterator<Item = Value>) -> Self {
        let mut values: Vec<Value> = values.into_iter().collect();
        if values.is_empty() {
            values.push(Value::OutOfBand(OutOfBand::NoValue));
        }
        Self { name: name.into(), values }
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// At least one.
    #[must_use]
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// The only value; none where there are several.
    #[must_use]
    pub fn only(&self) -> Option<&Value> {
        match self.values.as_slice() {
            [value] => Some(value),
            _ => None,
        }
    }

    #[must_use]
    pub fn into_parts(self) -> (Str, Vec<Value>) {
        (self.name, self.values)
    }
}

/// Text or name, with the language that it carries when that differs from the message's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Localized {
    pub language: Option<Str>,
    pub text: Str,
}

impl<T: Into<Str>> From<T> for Localized {
    fn from(text: T) -> Self {
        Self { language: None, text: text.into() }
    }
}

/// RFC 8010 3.5.2 and RFC 3380: what stands in place of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum OutOfBand {
    Unsupported = 0x10,
    Default = 0x11,
    Unknown = 0x12,
    NoValue = 0x13,
    NotSettable = 0x15,
    DeleteAttribute = 0x16,
    AdminDefine = 0x17,
}

impl OutOfBand {
    #[must_use]
    pub const fn from_tag(tag: u8) -> Option<Self> {
        Some(match tag {
            0x10 => Self::Unsupported,
            0x11 => Self::Default,
            0x12 => Self::Unknown,
            0x13 => Self::NoValue,
            0x15 => Self::NotSettable,
            0x16 => Self::DeleteAttribute,
            0x17 => Self::AdminDefine,
            _ => return None,
        })
    }
}

/// Members in the order they were written; no name twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collection(pub Vec<Attribute>);

impl Collection {
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Attribute> {
        self.0.iter().find(|attribute| attribute.name == name)
    }
}

/// One value. Strings longer than their syntax allows are cut when encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    OutOfBand(OutOfBand),
    Integer(i32),
    Boolean(bool),
    Enum(i32),
    OctetString(Vec<u8>),
    DateTime(DateTime),
    /// Dots in both directions; `units` is 3 for an inch, 4 for a centimetre.
    Resolution {
        cross_feed: i32,
        feed: i32,
        units: u8,
    },
    Range {
        lower: i32,
        upper: i32,
    },
    Collection(Collection),
    Text(Localized),
    Name(Localized),
    Keyword(Str),
    Uri(Str),
    UriScheme(Str),
    Charset(Str),
    NaturalLanguage(Str),
    MimeMediaType(Str),
    /// Tag 0x7f: a 32-bit syntax number, then its octets.
    Extension {
        syntax: u32,
        data: Vec<u8>,
    },
    /// A reserved tag.
    Other {
        tag: u8,
        data: Vec<u8>,
    },
}

impl Value {
    pub const NO_VALUE: Self = Self::OutOfBand(OutOfBand::NoValue);
    pub const UNKNOWN: Self = Self::OutOfBand(OutOfBand::Unknown);
    pub const UNSUPPORTED: Self = Self::OutOfBand(OutOfBand::Unsupported);

    pub fn keyword(text: impl Into<Str>) -> Self {
        Self::Keyword(text.into())
    }

    pub fn name(text: impl Into<Str>) -> Self {
        Self::Name(Localized::from(text))
    }

    pub fn text(text: impl Into<Str>) -> Self {
        Self::Text(Localized::from(text))
    }

    pub fn uri(text: impl Into<Str>) -> Self {
        Self::Uri(text.into())
    }

    /// The characters of any string syntax.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Name(text) => Some(&text.text),
            Self::Keyword(text)
            | Self::Uri(text)
            | Self::UriScheme(text)
            | Self::Charset(text)
            | Self::NaturalLanguage(text)
            | Self::MimeMediaType(text) => Some(text),
            Self::OutOfBand(_)
            | Self::Integer(_)
            | Self::Boolean(_)
            | Self::Enum(_)
            | Self::OctetString(_)
            | Self::DateTime(_)
            | Self::Resolution { .. }
            | Self::Range { .. }
            | Self::Collection(_)
            | Self::Extension { .. }
            | Self::Other { .. } => None,
        }
    }

    /// An integer or enum.
    #[must_use]
    pub const fn as_integer(&self) -> Option<i32> {
        match self {
            Self::Integer(number) | Self::Enum(number) => Some(*number),
            _ => None,
        }
    }

    #[must_use]
    pub const fn as_boolean(&self) -> Option<bool> {
        match self {
            Self::Boolean(truth) => Some(*truth),
            _ => None,
        }
    }
}

/// RFC 2579 DateAndTime, the 11 octets as they stand on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateTime(pub [u8; 11]);

impl DateTime {
    /// `seconds` since 1970, written in UTC.
    #[must_use]
    pub fn from_unix(seconds: i64) -> Self {
        const DAY: i64 = 86_400;
        let (days, second) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
        // The civil calendar from a count of days: years begin in March, so that the leap day is the last one.
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_shifted = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_shifted + 2) / 5 + 1;
        let month = if month_shifted < 10 { month_shifted + 3 } else { month_shifted - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        let year = u16::try_from(year).unwrap_or(0).to_be_bytes();
        let octet = |number: i64| u8::try_from(number).unwrap_or(0);
        Self([
            year[0],
            year[1],
            octet(month),
            octet(day),
            octet(second / 3_600),
            octet(second / 60 % 60),
            octet(second % 60),
            0,
            b'+',
            0,
            0,
        ])
    }
}
