//! Bytes to a message (RFC 8010 3), within the limits of [`super::limits`]. Nothing here panics or allocates more than the
//! peer has already sent, and nothing is dropped in silence: a request is taken whole or refused.
//!
//! Two steps: [`HeadDecoder`] frames (it finds the end of the attributes as bytes arrive, each byte looked at once), then
//! [`decode`] reads the framed section.

use super::code::StatusCode;
use super::encode::{BEGIN_COLLECTION, END_COLLECTION, EXTENSION, MEMBER_NAME};
use super::limits::*;
use super::model::{
    Attribute, Collection, DateTime, Group, GroupTag, Localized, Message, OutOfBand, Str, Value, Version,
};

const HEADER_BYTES: usize = 8;
const END_OF_ATTRIBUTES: u8 = 0x03;
/// Tags below this one begin a group, the rest a value (RFC 8010 3.5).
const FIRST_VALUE_TAG: u8 = 0x10;

/// Who wrote the bytes: both get the same bounds, but a printer's slips are mended where a client's are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Refused: a name twice, bad UTF-8, a string longer than its syntax allows.
    Client,
    /// Mended: the first of two stands, bad UTF-8 is replaced, an over-long or ill-formed value is left out.
    Printer,
}

/// What stands before the attributes; known even of a message that is refused, so that the refusal can name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub version: Version,
    pub code: u16,
    pub request_id: i32,
}

impl Header {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let &[major, minor, code_high, code_low, a, b, c, d] = bytes.first_chunk::<HEADER_BYTES>()?;
        Some(Self {
            version: Version { major, minor },
            code: u16::from_be_bytes([code_high, code_low]),
            request_id: i32::from_be_bytes([a, b, c, d]),
        })
    }
}

/// Why the bytes are no message. The peer is at fault in each case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// The bytes end inside the head.
    Truncated,
    HeadTooLong,
    TooManyAttributes,
    TooManyValues,
    TooManyGroups,
    TooDeep,
    NameTooLong,
    ValueTooLong,
    /// A fixed-size value of another size, or inner lengths that do not add up.
    ValueLength,
    NotUtf8,
    DuplicateAttribute,
    /// A value before any group, a further value before any first, a delimiter that is reserved.
    Misplaced,
    Collection,
    /// `attributes-charset` comes first and names a charset other than utf-8 and us-ascii.
    Charset,
}

impl Malformed {
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::HeadTooLong | Self::TooManyAttributes | Self::TooManyValues | Self::TooManyGroups => {
                StatusCode::ClientErrorRequestEntityTooLarge
            }
            Self::NameTooLong | Self::ValueTooLong => StatusCode::ClientErrorRequestValueTooLong,
            Self::Charset => StatusCode::ClientErrorCharsetNotSupported,
            Self::Truncated
            | Self::TooDeep
            | Self::ValueLength
            | Self::NotUtf8
            | Self::DuplicateAttribute
            | Self::Misplaced
            | Self::Collection => StatusCode::ClientErrorBadRequest,
        }
    }

    /// For `status-message` and the log.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Truncated => "The request ends before its attributes do.",
            Self::HeadTooLong => "The attributes take more than 256 KiB.",
            Self::TooManyAttributes => "There are more than 1,000 attributes.",
            Self::TooManyValues => "There are too many values.",
            Self::TooManyGroups => "There are too many attribute groups.",
            Self::TooDeep => "Collections are nested more than 8 deep.",
            Self::NameTooLong => "An attribute name is longer than 255 octets.",
            Self::ValueTooLong => "A value is longer than its syntax allows.",
            Self::ValueLength => "A value has the wrong length for its syntax.",
            Self::NotUtf8 => "A string is not UTF-8.",
            Self::DuplicateAttribute => "An attribute is given twice.",
            Self::Misplaced => "A value stands where none can be.",
            Self::Collection => "A collection is not well formed.",
            Self::Charset => "Only utf-8 is supported.",
        }
    }
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.sentence())
    }
}

impl std::error::Error for Malformed {}

/// What [`HeadDecoder::push`] made of the bytes so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    NeedMore,
    /// The head is complete. Of the bytes last pushed, `consumed` belong to it; the document begins behind them.
    Done {
        message: Message,
        consumed: usize,
    },
}

/// Collects the head of a message from a stream.
#[derive(Debug)]
pub struct HeadDecoder {
    peer: Peer,
    buffer: Vec<u8>,
    /// Where the next tag stands or will stand.
    next: usize,
    attributes: usize,
    values: usize,
}

impl HeadDecoder {
    #[must_use]
    pub const fn new(peer: Peer) -> Self {
        Self { peer, buffer: Vec::new(), next: HEADER_BYTES, attributes: 0, values: 0 }
    }

    /// Available from the eighth byte on, whatever became of the rest.
    #[must_use]
    pub fn header(&self) -> Option<Header> {
        Header::parse(&self.buffer)
    }

    /// True until the first byte: a connection may close here without fault.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Takes bytes as they arrive. After `Done` or an error the decoder is spent.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Progress, Malformed> {
        let before = self.buffer.len();
        let room = HEAD_MAX_BYTES.saturating_sub(before);
        self.buffer.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        if let Some(end) = self.find_end()? {
            let message = decode(&self.buffer[..end], self.peer)?;
            return Ok(Progress::Done { message, consumed: end - before });
        }
        if self.buffer.len() >= HEAD_MAX_BYTES { Err(Malformed::HeadTooLong) } else { Ok(Progress::NeedMore) }
    }

    /// Steps from tag to tag as far as the bytes reach; one past the end-of-attributes tag when that is there.
    fn find_end(&mut self) -> Result<Option<usize>, Malformed> {
        while let Some(&tag) = self.buffer.get(self.next) {
            if tag == END_OF_ATTRIBUTES {
                return Ok(Some(self.next + 1));
            }
            if tag < FIRST_VALUE_TAG {
                self.next += 1;
                continue;
            }
            let Some(name_bytes) = be16(&self.buffer, self.next + 1) else { return Ok(None) };
            if name_bytes > NAME_MAX_BYTES {
                return Err(Malformed::NameTooLong);
            }
            let Some(value_bytes) = be16(&self.buffer, self.next + 3 + name_bytes) else { return Ok(None) };
            let end = self.next + 5 + name_bytes + value_bytes;
            if end >= HEAD_MAX_BYTES {
                return Err(Malformed::HeadTooLong);
            }
            if end > self.buffer.len() {
                return Ok(None);
            }
            self.count(name_bytes > 0)?;
            self.next = end;
        }
        Ok(None)
    }

    fn count(&mut self, named: bool) -> Result<(), Malformed> {
        self.attributes += usize::from(named);
        self.values += 1;
        if self.attributes > ATTRIBUTES_MAX {
            return Err(Malformed::TooManyAttributes);
        }
        if self.values > VALUES_MAX {
            return Err(Malformed::TooManyValues);
        }
        Ok(())
    }
}

fn be16(bytes: &[u8], at: usize) -> Option<usize> {
    let &[high, low] = bytes.get(at..)?.first_chunk::<2>()?;
    Some(usize::from(u16::from_be_bytes([high, low])))
}

/// Reads a whole head: `bytes` end with the end-of-attributes tag (what follows it is not looked at).
pub fn decode(bytes: &[u8], peer: Peer) -> Result<Message, Malformed> {
    let header = Header::parse(bytes).ok_or(Malformed::Truncated)?;
    if bytes.len() > HEAD_MAX_BYTES {
        return Err(Malformed::HeadTooLong);
    }
    let mut reader = Reader { bytes, at: HEADER_BYTES, peer, attributes: 0, values: 0 };
    let groups = reader.groups()?;
    Ok(Message { version: header.version, code: header.code, request_id: header.request_id, groups })
}

/// One value as it stands on the wire.
struct Field<'a> {
    tag: u8,
    name: &'a [u8],
    value: &'a [u8],
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    peer: Peer,
    attributes: usize,
    values: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Result<u8, Malformed> {
        self.bytes.get(self.at).copied().ok_or(Malformed::Truncated)
    }

    fn take(&mut self, bytes: usize) -> Result<&'a [u8], Malformed> {
        let taken = self.bytes.get(self.at..).and_then(|rest| rest.get(..bytes)).ok_or(Malformed::Truncated)?;
        self.at += bytes;
        Ok(taken)
    }

    fn counted(&mut self) -> Result<&'a [u8], Malformed> {
        let length = be16(self.bytes, self.at).ok_or(Malformed::Truncated)?;
        self.at += 2;
        self.take(length)
    }

    fn field(&mut self) -> Result<Field<'a>, Malformed> {
        let tag = self.peek()?;
        self.at += 1;
        let name = self.counted()?;
        if name.len() > NAME_MAX_BYTES {
            return Err(Malformed::NameTooLong);
        }
        self.values += 1;
        if self.values > VALUES_MAX {
            return Err(Malformed::TooManyValues);
        }
        Ok(Field { tag, name, value: self.counted()? })
    }

    fn groups(&mut self) -> Result<Vec<Group>, Malformed> {
        let mut groups: Vec<Group> = Vec::new();
        loop {
            let tag = self.peek()?;
            if tag == END_OF_ATTRIBUTES {
                return Ok(groups);
            }
            if tag < FIRST_VALUE_TAG {
                self.at += 1;
                if groups.len() == GROUPS_MAX {
                    return Err(Malformed::TooManyGroups);
                }
                let tag = GroupTag::from_tag(tag).ok_or(Malformed::Misplaced)?;
                groups.push(Group { tag, attributes: Vec::new() });
                continue;
            }
            let group = groups.last_mut().ok_or(Malformed::Misplaced)?;
            if let Some(attribute) = self.attribute()? {
                self.admit(&mut group.attributes, attribute)?;
            }
        }
    }

    fn admit(&self, attributes: &mut Vec<Attribute>, attribute: Attribute) -> Result<(), Malformed> {
        if attributes.iter().any(|other| other.name() == attribute.name()) {
            return match self.peer {
                Peer::Client => Err(Malformed::DuplicateAttribute),
                Peer::Printer => Ok(()),
            };
        }
        let unsupported =
            |charset: &str| !charset.eq_ignore_ascii_case("utf-8") && !charset.eq_ignore_ascii_case("us-ascii");
        if self.attributes == 1
            && self.peer == Peer::Client
            && attribute.name() == "attributes-charset"
            && attribute.only().and_then(Value::as_str).is_some_and(unsupported)
        {
            return Err(Malformed::Charset);
        }
        attributes.push(attribute);
        Ok(())
    }

    /// A named value and the nameless ones that follow it. None when a printer's values were all unusable.
    fn attribute(&mut self) -> Result<Option<Attribute>, Malformed> {
        let field = self.field()?;
        if field.name.is_empty() {
            return Err(Malformed::Misplaced);
        }
        self.attributes += 1;
        if self.attributes > ATTRIBUTES_MAX {
            return Err(Malformed::TooManyAttributes);
        }
        let name = self.name(field.name)?;
        let mut values = Vec::new();
        self.collect(&field, 0, &mut values)?;
        let mut set = 1;
        while self.continues_set() {
            let field = self.field()?;
            set += 1;
            if set > SET_MAX {
                return Err(Malformed::TooManyValues);
            }
            self.collect(&field, 0, &mut values)?;
        }
        Ok(if values.is_empty() { None } else { Some(Attribute::set(name, values)) })
    }

    /// Whether a value without a name comes next.
    fn continues_set(&self) -> bool {
        self.bytes.get(self.at).is_some_and(|&tag| tag >= FIRST_VALUE_TAG) && be16(self.bytes, self.at + 1) == Some(0)
    }

    fn collect(&mut self, field: &Field<'_>, depth: usize, into: &mut Vec<Value>) -> Result<(), Malformed> {
        let value = match field.tag {
            BEGIN_COLLECTION => Ok(Value::Collection(self.collection(field, depth + 1)?)),
            END_COLLECTION | MEMBER_NAME => return Err(Malformed::Collection),
            _ => self.value(field),
        };
        match (value, self.peer) {
            (Ok(value), _) => into.push(value),
            (Err(_), Peer::Printer) => {}
            (Err(fault), Peer::Client) => return Err(fault),
        }
        Ok(())
    }

    /// RFC 8010 3.1.6: begCollection, then for each member its name and its values, then endCollection.
    fn collection(&mut self, begin: &Field<'_>, depth: usize) -> Result<Collection, Malformed> {
        if depth > DEPTH_MAX {
            return Err(Malformed::TooDeep);
        }
        if !begin.value.is_empty() {
            return Err(Malformed::Collection);
        }
        let mut members = Vec::new();
        loop {
            let field = self.field()?;
            match field.tag {
                END_COLLECTION if field.name.is_empty() && field.value.is_empty() => return Ok(Collection(members)),
                MEMBER_NAME if field.name.is_empty() && !field.value.is_empty() => {
                    if let Some(member) = self.member(field.value, depth)? {
                        self.admit_member(&mut members, member)?;
                    }
                }
                _ => return Err(Malformed::Collection),
            }
        }
    }

    fn admit_member(&self, members: &mut Vec<Attribute>, member: Attribute) -> Result<(), Malformed> {
        if members.iter().any(|other: &Attribute| other.name() == member.name()) {
            return match self.peer {
                Peer::Client => Err(Malformed::DuplicateAttribute),
                Peer::Printer => Ok(()),
            };
        }
        members.push(member);
        Ok(())
    }

    fn member(&mut self, name: &[u8], depth: usize) -> Result<Option<Attribute>, Malformed> {
        if name.len() > NAME_MAX_BYTES {
            return Err(Malformed::NameTooLong);
        }
        let name = self.name(name)?;
        let mut values = Vec::new();
        let mut set = 0;
        while !matches!(self.peek()?, MEMBER_NAME | END_COLLECTION) {
            if self.peek()? < FIRST_VALUE_TAG {
                return Err(Malformed::Collection);
            }
            let field = self.field()?;
            if !field.name.is_empty() {
                return Err(Malformed::Collection);
            }
            set += 1;
            if set > SET_MAX {
                return Err(Malformed::TooManyValues);
            }
            self.collect(&field, depth, &mut values)?;
        }
        if set == 0 && self.peer == Peer::Client {
            return Err(Malformed::Collection);
        }
        Ok(if values.is_empty() { None } else { Some(Attribute::set(name, values)) })
    }

    fn value(&self, field: &Field<'_>) -> Result<Value, Malformed> {
        let bytes = field.value;
        Ok(match field.tag {
            0x21 => Value::Integer(integer(bytes)?),
            0x22 => match bytes {
                [0] => Value::Boolean(false),
                [1] => Value::Boolean(true),
                _ => return Err(Malformed::ValueLength),
            },
            0x23 => Value::Enum(integer(bytes)?),
            0x30 => Value::OctetString(bounded(bytes, OCTET_STRING_MAX_BYTES)?.to_vec()),
            0x31 => Value::DateTime(DateTime(bytes.try_into().map_err(|_| Malformed::ValueLength)?)),
            0x32 => {
                let &[a, b, c, d, e, f, g, h, units] =
                    <&[u8; 9]>::try_from(bytes).map_err(|_| Malformed::ValueLength)?;
                let (cross_feed, feed) = (i32::from_be_bytes([a, b, c, d]), i32::from_be_bytes([e, f, g, h]));
                Value::Resolution { cross_feed, feed, units }
            }
            0x33 => {
                let &[a, b, c, d, e, f, g, h] = <&[u8; 8]>::try_from(bytes).map_err(|_| Malformed::ValueLength)?;
                Value::Range { lower: i32::from_be_bytes([a, b, c, d]), upper: i32::from_be_bytes([e, f, g, h]) }
            }
            0x35 => Value::Text(self.localized(bytes, TEXT_MAX_BYTES)?),
            0x36 => Value::Name(self.localized(bytes, NAME_MAX_BYTES)?),
            0x41 => Value::Text(Localized { language: None, text: self.string(bytes, TEXT_MAX_BYTES)? }),
            0x42 => Value::Name(Localized { language: None, text: self.string(bytes, NAME_MAX_BYTES)? }),
            0x44 => Value::Keyword(self.string(bytes, KEYWORD_MAX_BYTES)?),
            0x45 => Value::Uri(self.string(bytes, URI_MAX_BYTES)?),
            0x46 => Value::UriScheme(self.string(bytes, URI_SCHEME_MAX_BYTES)?),
            0x47 => Value::Charset(self.string(bytes, CHARSET_MAX_BYTES)?),
            0x48 => Value::NaturalLanguage(self.string(bytes, LANGUAGE_MAX_BYTES)?),
            0x49 => Value::MimeMediaType(self.string(bytes, MEDIA_TYPE_MAX_BYTES)?),
            EXTENSION => {
                let (syntax, data) = bytes.split_first_chunk::<4>().ok_or(Malformed::ValueLength)?;
                let data = bounded(data, OTHER_MAX_BYTES)?.to_vec();
                Value::Extension { syntax: u32::from_be_bytes(*syntax), data }
            }
            tag => match OutOfBand::from_tag(tag) {
                // RFC 8010 3.9: the value of an out-of-band tag is empty; a client that fills it is not understood.
                Some(kind) if bytes.is_empty() => Value::OutOfBand(kind),
                Some(_) => return Err(Malformed::ValueLength),
                None => Value::Other { tag, data: bounded(bytes, OTHER_MAX_BYTES)?.to_vec() },
            },
        })
    }

    /// textWithLanguage and nameWithLanguage: two counted strings that fill the value exactly.
    fn localized(&self, bytes: &[u8], text_max: usize) -> Result<Localized, Malformed> {
        let (language, rest) = counted(bytes)?;
        let (text, rest) = counted(rest)?;
        if !rest.is_empty() {
            return Err(Malformed::ValueLength);
        }
        Ok(Localized { language: Some(self.string(language, LANGUAGE_MAX_BYTES)?), text: self.string(text, text_max)? })
    }

    fn name(&self, bytes: &[u8]) -> Result<Str, Malformed> {
        self.string(bytes, NAME_MAX_BYTES)
    }

    fn string(&self, bytes: &[u8], max: usize) -> Result<Str, Malformed> {
        let bytes = bounded(bytes, max)?;
        match (std::str::from_utf8(bytes), self.peer) {
            (Ok(text), _) => Ok(text.to_owned().into()),
            (Err(_), Peer::Printer) => Ok(String::from_utf8_lossy(bytes).into_owned().into()),
            (Err(_), Peer::Client) => Err(Malformed::NotUtf8),
        }
    }
}

fn bounded(bytes: &[u8], max: usize) -> Result<&[u8], Malformed> {
    if bytes.len() > max { Err(Malformed::ValueTooLong) } else { Ok(bytes) }
}

fn integer(bytes: &[u8]) -> Result<i32, Malformed> {
    bytes.try_into().map(i32::from_be_bytes).map_err(|_| Malformed::ValueLength)
}

fn counted(bytes: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let (length, rest) = bytes.split_first_chunk::<2>().ok_or(Malformed::ValueLength)?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length))).ok_or(Malformed::ValueLength)
}
