//! Our IPP codec beside the crate `ipp`: where both can say a thing they say it alike, and where they part it is shown why
//! the codec is our own (docs/decisions/ipp-codec.md).

use ::ipp::attribute::{IppAttribute, IppAttributes};
use ::ipp::model::DelimiterTag;
use ::ipp::parser::IppParser;
use ::ipp::reader::IppReader;
use ::ipp::request::IppRequestResponse;
use ::ipp::value::IppValue;
use proptest::prelude::*;
use proto::ipp::{
    Attribute, Capabilities, Collection, DateTime, Group, GroupTag, Malformed, Message, Peer, Requested, Value,
    Version, decode,
};

fn by_the_crate(bytes: &[u8]) -> Result<IppRequestResponse, ::ipp::parser::IppParseError> {
    IppParser::new(IppReader::new(std::io::Cursor::new(bytes.to_vec()))).parse()
}

/// An answer with these attributes of a printer.
fn message(attributes: Vec<Attribute>) -> Message {
    let mut message = Message::new(Version::V1_1, 0, 1);
    message.groups.push(Group::new(GroupTag::Printer, attributes));
    message
}

fn printer_value(bytes: &[u8], name: &str) -> Option<IppValue> {
    let parsed = by_the_crate(bytes).ok()?;
    let group = parsed.attributes().first_of(DelimiterTag::PrinterAttributes)?;
    Some(group.get(name)?.value().clone())
}

fn keyword(text: &str) -> IppValue {
    IppValue::new_keyword(text).expect("a short keyword")
}

/// What the crate writes for one attribute of a printer, read by us.
fn written_by_the_crate(value: IppValue) -> Result<Message, Malformed> {
    let mut attributes = IppAttributes::new();
    for (name, value) in [
        (IppAttribute::ATTRIBUTES_CHARSET, IppValue::new_charset("utf-8")),
        (IppAttribute::ATTRIBUTES_NATURAL_LANGUAGE, IppValue::new_natural_language("en")),
    ] {
        let attribute = IppAttribute::with_name(name, value.expect("short")).expect("a short name");
        attributes.add(DelimiterTag::OperationAttributes, attribute);
    }
    let attribute = IppAttribute::with_name("tried", value).expect("a short name");
    attributes.add(DelimiterTag::PrinterAttributes, attribute);
    let bytes = [&[1, 1, 0, 0, 0, 0, 0, 1], attributes.to_bytes().as_ref()].concat();
    decode(&bytes, Peer::Client)
}

// ---- where both agree

#[test]
fn the_crate_reads_a_whole_answer_of_a_queue() {
    let uri = "ipps://box:8631/ipp/print/front".to_owned();
    let uri =
        proto::ipp::printer::QueueUri { uri, tls: true, authentication: proto::ipp::printer::Authentication::Basic };
    let capabilities = Capabilities { duplex: true, ..Capabilities::default() };
    let queue = proto::ipp::printer::PrinterDescription::new(
        "front".into(),
        "Front".into(),
        String::new(),
        vec![uri],
        capabilities,
    );
    let group = proto::ipp::printer::printer_attributes(&queue, &Requested::names(&["all", "media-col-database"]));
    let names: Vec<String> = group.attributes.iter().map(|attribute| attribute.name().to_owned()).collect();
    let mut answer = Message::new(Version::V2_0, 0, 1);
    answer.groups.push(group);

    let parsed = by_the_crate(&answer.encode()).expect("the crate understands it");
    let theirs = parsed.attributes().first_of(DelimiterTag::PrinterAttributes).expect("the printer group");
    let their_names: Vec<String> = theirs.attributes().iter().map(|attribute| attribute.name().to_string()).collect();
    assert_eq!(their_names, names);
    assert!(names.len() >= 110, "only {} attributes", names.len());
}

fn simple_value() -> impl Strategy<Value = (Value, IppValue)> {
    prop_oneof![
        any::<i32>().prop_map(|number| (Value::Integer(number), IppValue::Integer(number))),
        any::<i32>().prop_map(|number| (Value::Enum(number), IppValue::Enum(number))),
        any::<bool>().prop_map(|truth| (Value::Boolean(truth), IppValue::Boolean(truth))),
        (any::<i32>(), any::<i32>()).prop_map(|(lower, upper)| (
            Value::Range { lower, upper },
            IppValue::RangeOfInteger { min: lower, max: upper }
        )),
        (any::<i32>(), any::<i32>(), 3_u8..5).prop_map(|(cross_feed, feed, units)| {
            let theirs = IppValue::Resolution { cross_feed, feed, units: if units == 3 { 3 } else { 4 } };
            (Value::Resolution { cross_feed, feed, units }, theirs)
        }),
        "[a-z][a-z0-9-]{0,60}".prop_map(|text| (Value::keyword(text.clone()), keyword(&text))),
        ".{0,50}".prop_map(|text| {
            let theirs = IppValue::new_text_without_language(text.clone()).expect("short");
            (Value::text(text), theirs)
        }),
    ]
}

proptest! {
    #[test]
    fn single_values_mean_the_same_to_both((ours, theirs) in simple_value()) {
        let bytes = message(vec![Attribute::new("tried", ours.clone())]).encode();
        prop_assert_eq!(printer_value(&bytes, "tried"), Some(theirs.clone()));
        let read = written_by_the_crate(theirs).expect("well formed");
        prop_assert_eq!(read.attribute(GroupTag::Printer, "tried").and_then(Attribute::only), Some(&ours));
    }

    #[test]
    fn sets_of_one_syntax_mean_the_same_to_both(numbers in proptest::collection::vec(any::<i32>(), 2..9)) {
        let bytes = message(vec![Attribute::set("tried", numbers.iter().map(|&number| Value::Integer(number)))]).encode();
        let theirs = IppValue::Array(numbers.iter().map(|&number| IppValue::Integer(number)).collect());
        prop_assert_eq!(printer_value(&bytes, "tried"), Some(theirs));
    }
}

#[test]
fn dates_and_collections_of_single_values_mean_the_same_to_both() {
    let collection = Collection(vec![
        Attribute::new("x-dimension", Value::Integer(21_000)),
        Attribute::new("y-dimension", Value::Integer(29_700)),
    ]);
    let attributes = vec![
        Attribute::new("at", Value::DateTime(DateTime::from_unix(1_709_208_000))),
        Attribute::new("size", Value::Collection(collection)),
    ];
    let bytes = message(attributes).encode();
    let Some(IppValue::DateTime(at)) = printer_value(&bytes, "at") else { panic!("no date") };
    assert_eq!((at.year, at.month, at.day, at.hour), (2024, 2, 29, 12));
    let Some(IppValue::Collection(size)) = printer_value(&bytes, "size") else { panic!("no collection") };
    assert_eq!(size.get("x-dimension"), Some(&IppValue::Integer(21_000)));
}

// ---- where they part: each is a row of docs/decisions/ipp-codec.md

#[test]
fn the_crate_writes_the_first_tag_before_every_value_of_a_mixed_set() {
    let mixed = vec![IppValue::Integer(1), IppValue::RangeOfInteger { min: 2, max: 4 }];
    assert_eq!(written_by_the_crate(IppValue::Array(mixed)), Err(Malformed::ValueLength));

    let ours = message(vec![Attribute::set("tried", [Value::Integer(1), Value::Range { lower: 2, upper: 4 }])]);
    assert_eq!(decode(&ours.encode(), Peer::Client), Ok(ours));
}

#[test]
fn the_crate_loses_members_behind_a_set_in_a_collection() {
    let collection = Collection(vec![
        Attribute::set("pages", [Value::Integer(1), Value::Integer(2)]),
        Attribute::new("sides", Value::keyword("one-sided")),
    ]);
    let ours = message(vec![Attribute::new("tried", Value::Collection(collection))]);
    let Some(IppValue::Collection(theirs)) = printer_value(&ours.encode(), "tried") else { panic!("no collection") };
    assert_eq!(theirs.get("sides"), None);
    assert_eq!(decode(&ours.encode(), Peer::Client), Ok(ours));
}

#[test]
fn the_crate_writes_garbage_for_an_empty_set() {
    assert!(written_by_the_crate(IppValue::Array(Vec::new())).is_err());
    let ours = message(vec![Attribute::set("tried", [])]);
    let read = decode(&ours.encode(), Peer::Client).expect("well formed");
    assert_eq!(read.attribute(GroupTag::Printer, "tried").and_then(Attribute::only), Some(&Value::NO_VALUE));
}

#[test]
fn the_crate_panics_where_an_inner_length_lies() {
    let bytes = [1, 1, 0, 0x0b, 0, 0, 0, 1, 1, 0x36, 0, 1, 0x61, 0, 2, 0xff, 0xff, 3];
    let panicked = std::panic::catch_unwind(|| by_the_crate(&bytes).map(|_| ()));
    assert!(panicked.is_err(), "the crate is mended: see the decision");
    assert_eq!(decode(&bytes, Peer::Client), Err(Malformed::ValueLength));
}
