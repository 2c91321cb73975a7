//! Message to bytes (RFC 8010 3). Cannot fail: what does not fit its syntax is cut at a character.

use super::limits::*;
use super::model::{Attribute, Collection, Localized, Message, Value};

const END_OF_ATTRIBUTES: u8 = 0x03;
pub(super) const BEGIN_COLLECTION: u8 = 0x34;
pub(super) const END_COLLECTION: u8 = 0x37;
pub(super) const MEMBER_NAME: u8 = 0x4a;
pub(super) const EXTENSION: u8 = 0x7f;

impl Message {
    /// The head; the document, if any, follows it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(1_024);
        self.encode_into(&mut out);
        out
    }

    pub fn encode_into(&self, out: &mut Vec<u8>) {
        out.extend([self.version.major, self.version.minor]);
        out.extend(self.code.to_be_bytes());
        out.extend(self.request_id.to_be_bytes());
        for group in &self.groups {
            out.push(group.tag as u8);
            for attribute in &group.attributes {
                encode_attribute(attribute, out);
            }
        }
        out.push(END_OF_ATTRIBUTES);
    }
}

fn encode_attribute(attribute: &Attribute, out: &mut Vec<u8>) {
    let mut name = cut(attribute.name(), NAME_MAX_BYTES);
    for value in attribute.values() {
        encode_value(name, value, out);
        name = ""; // further values of the set carry no name
    }
}

fn encode_value(name: &str, value: &Value, out: &mut Vec<u8>) {
    out.push(tag_of(value));
    string(name, out);
    match value {
        Value::OutOfBand(_) => string("", out),
        Value::Integer(number) | Value::Enum(number) => octets(&number.to_be_bytes(), out),
        Value::Boolean(truth) => octets(&[u8::from(*truth)], out),
        Value::OctetString(data) => octets(head_of(data, OCTET_STRING_MAX_BYTES), out),
        Value::DateTime(at) => octets(&at.0, out),
        Value::Resolution { cross_feed, feed, units } => {
            length(9, out);
            out.extend(cross_feed.to_be_bytes());
            out.extend(feed.to_be_bytes());
            out.push(*units);
        }
        Value::Range { lower, upper } => {
            length(8, out);
            out.extend(lower.to_be_bytes());
            out.extend(upper.to_be_bytes());
        }
        Value::Collection(collection) => encode_collection(collection, out),
        Value::Text(text) => localized(text, TEXT_MAX_BYTES, out),
        Value::Name(name) => localized(name, NAME_MAX_BYTES, out),
        Value::Keyword(text) => string(cut(text, KEYWORD_MAX_BYTES), out),
        Value::Uri(text) => string(cut(text, URI_MAX_BYTES), out),
        Value::UriScheme(text) => string(cut(text, URI_SCHEME_MAX_BYTES), out),
        Value::Charset(text) => string(cut(text, CHARSET_MAX_BYTES), out),
        Value::NaturalLanguage(text) => string(cut(text, LANGUAGE_MAX_BYTES), out),
        Value::MimeMediaType(text) => string(cut(text, MEDIA_TYPE_MAX_BYTES), out),
        Value::Extension { syntax, data } => {
            let data = head_of(data, OTHER_MAX_BYTES);
            length(4 + data.len(), out);
            out.extend(syntax.to_be_bytes());
            out.extend(data);
        }
        Value::Other { data, .. } => octets(head_of(data, OTHER_MAX_BYTES), out),
    }
}

fn encode_collection(collection: &Collection, out: &mut Vec<u8>) {
    length(0, out);
    for member in &collection.0 {
        out.push(MEMBER_NAME);
        length(0, out);
        string(cut(member.name(), NAME_MAX_BYTES), out);
        for value in member.values() {
            encode_value("", value, out);
        }
    }
    out.push(END_COLLECTION);
    length(0, out);
    length(0, out);
}

fn tag_of(value: &Value) -> u8 {
    match value {
        Value::OutOfBand(kind) => *kind as u8,
        Value::Integer(_) => 0x21,
        Value::Boolean(_) => 0x22,
        Value::Enum(_) => 0x23,
        Value::OctetString(_) => 0x30,
        Value::DateTime(_) => 0x31,
        Value::Resolution { .. } => 0x32,
        Value::Range { .. } => 0x33,
        Value::Collection(_) => BEGIN_COLLECTION,
        Value::Text(text) => {
            if text.language.is_some() {
                0x35
            } else {
                0x41
            }
        }
        Value::Name(name) => {
            if name.language.is_some() {
                0x36
            } else {
                0x42
            }
        }
        Value::Keyword(_) => 0x44,
        Value::Uri(_) => 0x45,
        Value::UriScheme(_) => 0x46,
        Value::Charset(_) => 0x47,
        Value::NaturalLanguage(_) => 0x48,
        Value::MimeMediaType(_) => 0x49,
        Value::Extension { .. } => EXTENSION,
        Value::Other { tag, .. } => *tag,
    }
}

fn localized(value: &Localized, text_max: usize, out: &mut Vec<u8>) {
    let text = cut(&value.text, text_max);
    match &value.language {
        None => string(text, out),
        Some(language) => {
            let language = cut(language, LANGUAGE_MAX_BYTES);
            length(4 + language.len() + text.len(), out);
            string(language, out);
            string(text, out);
        }
    }
}

fn length(bytes: usize, out: &mut Vec<u8>) {
    // Every caller has cut its content to a limit far below this.
    out.extend(u16::try_from(bytes).unwrap_or(u16::MAX).to_be_bytes());
}

fn octets(data: &[u8], out: &mut Vec<u8>) {
    length(data.len(), out);
    out.extend(data);
}

fn string(text: &str, out: &mut Vec<u8>) {
    octets(text.as_bytes(), out);
}

fn head_of(data: &[u8], max: usize) -> &[u8] {
    data.get(..max).unwrap_or(data)
}

/// The longest beginning of `text` within `max` bytes that ends between characters.
pub(super) fn cut(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}
