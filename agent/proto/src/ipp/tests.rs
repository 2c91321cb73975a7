//! The codec against its limits and against itself; the operations against RFC 8011's wording and known ways to cheat.

use super::operation::{Operation, Request, WhichJobs, parse};
use super::printer::{Authentication, PrinterDescription, QueueUri, printer_attributes};
use super::*;
use proptest::prelude::*;

fn head(message: &Message) -> Message {
    decode(&message.encode(), Peer::Client).expect("what was encoded is decoded")
}

fn request(id: OperationId) -> Message {
    let mut message = Message::new(Version::V1_1, id.code(), 7);
    operation_group(&mut message).push(Attribute::new("printer-uri", Value::uri("ipp://box:8631/ipp/print/front")));
    message
}

fn operation_group(message: &mut Message) -> &mut Vec<Attribute> {
    &mut message.groups[0].attributes
}

fn with_job(mut message: Message, attributes: Vec<Attribute>) -> Message {
    message.groups.push(Group::new(GroupTag::Job, attributes));
    message
}

fn can() -> Capabilities {
    Capabilities { colour: true, duplex: true, ..Capabilities::default() }
}

fn read(message: &Message) -> Result<Request, operation::Refusal> {
    parse(&head(message), &can(), &[Compression::None])
}

fn status(message: &Message) -> StatusCode {
    match read(message) {
        Ok(request) => request.answer().status().expect("a known status"),
        Err(refusal) => refusal.status,
    }
}

fn printed(message: &Message) -> (Ticket, operation::Document, Vec<Attribute>) {
    let request = read(message).expect("accepted");
    match request.operation {
        Operation::PrintJob { ticket, document } => (ticket, document, request.unsupported),
        other => panic!("{other:?}"),
    }
}

// ---- codec

#[test]
fn a_crafted_name_with_language_is_refused_not_panicked_on() {
    // The request that brings down the parser of the crate `ipp` 8.0.0.
    let bytes = [1, 1, 0, 0x0b, 0, 0, 0, 1, 1, 0x36, 0, 1, 0x61, 0, 2, 0xff, 0xff, 3];
    assert_eq!(decode(&bytes, Peer::Client), Err(Malformed::ValueLength));
}

#[test]
fn sets_inside_collections_keep_every_member() {
    let collection = Collection(vec![
        Attribute::set("media-type", [Value::keyword("a"), Value::name("b"), Value::keyword("c")]),
        Attribute::new("x-dimension", Value::Integer(21_000)),
    ]);
    let mut message = request(OperationId::PrintJob);
    message.groups.push(Group::new(GroupTag::Job, vec![Attribute::new("media-col", Value::Collection(collection))]));
    assert_eq!(head(&message), message);
}

#[test]
fn the_head_ends_where_the_document_begins_however_the_bytes_arrive() {
    let message = request(OperationId::PrintJob);
    let mut bytes = message.encode();
    let end = bytes.len();
    bytes.extend(b"%PDF-1.7 \x03\x01 and so on");
    for step in [1, 2, 3, 7, bytes.len()] {
        let mut decoder = HeadDecoder::new(Peer::Client);
        let mut fed = 0;
        let consumed = loop {
            let chunk = &bytes[fed..bytes.len().min(fed + step)];
            match decoder.push(chunk).expect("well formed") {
                Progress::NeedMore => fed += chunk.len(),
                Progress::Done { message: done, consumed } => {
                    assert_eq!(done, message);
                    break fed + consumed;
                }
            }
        };
        assert_eq!(consumed, end);
    }
}

#[test]
fn limits_hold() {
    let many = |count: usize| {
        let mut message = request(OperationId::GetJobs);
        operation_group(&mut message).extend((0..count).map(|i| Attribute::new(format!("a{i}"), Value::Boolean(true))));
        message.encode()
    };
    assert_eq!(decode(&many(ATTRIBUTES_MAX), Peer::Client), Err(Malformed::TooManyAttributes));
    assert!(decode(&many(ATTRIBUTES_MAX - 3), Peer::Client).is_ok());

    let mut deep = Value::Integer(1);
    for _ in 0..=DEPTH_MAX {
        deep = Value::Collection(Collection(vec![Attribute::new("m", deep)]));
    }
    let message = with_job(request(OperationId::PrintJob), vec![Attribute::new("media-col", deep)]);
    assert_eq!(decode(&message.encode(), Peer::Client), Err(Malformed::TooDeep));

    let set = Attribute::set("media", (0..=SET_MAX).map(|_| Value::Integer(0)));
    let message = with_job(request(OperationId::PrintJob), vec![set]);
    assert_eq!(decode(&message.encode(), Peer::Client), Err(Malformed::TooManyValues));

    let mut endless = HeadDecoder::new(Peer::Client);
    let mut refused = endless.push(&many(1)[..8]).map(|_| ());
    for _ in 0..HEAD_MAX_BYTES {
        if refused.is_err() {
            break;
        }
        refused = endless.push(&[0x01; 64]).map(|_| ());
    }
    assert_eq!(refused, Err(Malformed::HeadTooLong));

    let long_name = [1, 1, 0, 0x0b, 0, 0, 0, 1, 1, 0x44, 1, 0];
    assert_eq!(HeadDecoder::new(Peer::Client).push(&long_name), Err(Malformed::NameTooLong));
}

#[test]
fn a_name_twice_is_refused_of_a_client_and_mended_of_a_printer() {
    let twice = vec![Attribute::new("copies", Value::Integer(1)), Attribute::new("copies", Value::Integer(100))];
    let bytes = with_job(request(OperationId::PrintJob), twice).encode();
    assert_eq!(decode(&bytes, Peer::Client), Err(Malformed::DuplicateAttribute));
    let mended = decode(&bytes, Peer::Printer).expect("mended");
    assert_eq!(mended.attribute(GroupTag::Job, "copies").and_then(Attribute::only), Some(&Value::Integer(1)));
}

#[test]
fn a_date_is_written_as_the_calendar_has_it() {
    assert_eq!(DateTime::from_unix(0).0, [0x07, 0xb2, 1, 1, 0, 0, 0, 0, b'+', 0, 0]);
    assert_eq!(DateTime::from_unix(1_709_208_000).0, [0x07, 0xe8, 2, 29, 12, 0, 0, 0, b'+', 0, 0]);
}

fn any_text(max: usize) -> impl Strategy<Value = Str> {
    proptest::string::string_regex(&format!(".{{0,{}}}", max / 4)).expect("a pattern").prop_map(Str::Owned)
}

fn any_value() -> impl Strategy<Value = Value> {
    let localized = |max: usize| {
        (proptest::option::of(any_text(32)), any_text(max)).prop_map(|(language, text)| Localized { language, text })
    };
    let leaf = prop_oneof![
        any::<i32>().prop_map(Value::Integer),
        any::<i32>().prop_map(Value::Enum),
        any::<bool>().prop_map(Value::Boolean),
        Just(Value::NO_VALUE),
        Just(Value::UNKNOWN),
        any::<[u8; 11]>().prop_map(|at| Value::DateTime(DateTime(at))),
        (any::<i32>(), any::<i32>(), any::<u8>()).prop_map(|(cross_feed, feed, units)| Value::Resolution {
            cross_feed,
            feed,
            units
        }),
        (any::<i32>(), any::<i32>()).prop_map(|(lower, upper)| Value::Range { lower, upper }),
        localized(120).prop_map(Value::Text),
        localized(120).prop_map(Value::Name),
        any_text(200).prop_map(Value::Keyword),
        any_text(200).prop_map(Value::Uri),
        any_text(60).prop_map(Value::Charset),
        proptest::collection::vec(any::<u8>(), 0..64).prop_map(Value::OctetString),
        (any::<u32>(), proptest::collection::vec(any::<u8>(), 0..16))
            .prop_map(|(syntax, data)| Value::Extension { syntax, data }),
        proptest::collection::vec(any::<u8>(), 0..16).prop_map(|data| Value::Other { tag: 0x38, data }),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let values = proptest::collection::vec(inner, 1..4);
        proptest::collection::btree_map("[a-z]{1,12}", values, 0..4).prop_map(|members| {
            Value::Collection(Collection(
                members.into_iter().map(|(name, values)| Attribute::set(name, values)).collect(),
            ))
        })
    })
}

fn any_message() -> impl Strategy<Value = Message> {
    let attributes =
        proptest::collection::btree_map("[a-z][a-z-]{0,20}", proptest::collection::vec(any_value(), 1..4), 0..6)
            .prop_map(|map| map.into_iter().map(|(name, values)| Attribute::set(name, values)).collect::<Vec<_>>());
    let tags = prop_oneof![Just(GroupTag::Job), Just(GroupTag::Printer), Just(GroupTag::Unsupported)];
    let groups = proptest::collection::vec((tags, attributes).prop_map(|(tag, list)| Group::new(tag, list)), 0..4);
    (any::<u16>(), any::<i32>(), groups).prop_map(|(code, id, groups)| {
        let mut message = Message::new(Version::V2_0, code, id);
        message.groups.extend(groups);
        message
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(message in any_message()) {
        prop_assert_eq!(head(&message), message.clone());
        let mut decoder = HeadDecoder::new(Peer::Client);
        let done = matches!(decoder.push(&message.encode()), Ok(Progress::Done { .. }));
        prop_assert!(done);
    }

    #[test]
    fn nothing_panics_and_framing_agrees_with_reading(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = decode(&bytes, Peer::Printer);
        let mut decoder = HeadDecoder::new(Peer::Client);
        if let Ok(Progress::Done { message, consumed }) = decoder.push(&bytes) {
            prop_assert_eq!(decode(&bytes[..consumed], Peer::Client), Ok(message));
        }
    }

    #[test]
    fn a_damaged_message_is_read_or_refused(message in any_message(), at in any::<prop::sample::Index>(), octet in any::<u8>()) {
        let mut bytes = message.encode();
        let at = at.index(bytes.len());
        bytes[at] = octet;
        if let Ok(message) = decode(&bytes, Peer::Client) {
            let _ = parse(&message, &can(), &[Compression::None]);
        }
        let _ = decode(&bytes[..at], Peer::Client);
    }
}

// ---- requests

#[test]
fn a_message_is_judged_in_the_order_of_rfc_8011() {
    let good = request(OperationId::GetPrinterAttributes);
    assert_eq!(status(&good), StatusCode::SuccessfulOk);

    let zero_id = Message { request_id: 0, ..good.clone() };
    assert_eq!(status(&zero_id), StatusCode::ClientErrorBadRequest);
    let version = Message { version: Version { major: 0, minor: 0 }, ..good.clone() };
    assert_eq!(status(&version), StatusCode::ServerErrorVersionNotSupported);
    let unknown = Message { code: 0x0003, ..good.clone() };
    assert_eq!(status(&unknown), StatusCode::ServerErrorOperationNotSupported);

    for order in [vec![], vec![0], vec![1], vec![1, 0, 2], vec![0, 1], vec![0, 2, 1]] {
        let mut message = good.clone();
        let all = operation_group(&mut message).clone();
        *operation_group(&mut message) = order.into_iter().map(|i: usize| all[i].clone()).collect();
        assert_eq!(status(&message), StatusCode::ClientErrorBadRequest, "{message:?}");
    }

    let mut latin = good;
    operation_group(&mut latin)[0] = Attribute::new("attributes-charset", Value::Charset("iso-8859-1".into()));
    let refused = decode(&latin.encode(), Peer::Client).map_err(Malformed::status);
    assert_eq!(refused, Err(StatusCode::ClientErrorCharsetNotSupported));
}

#[test]
fn a_ticket_is_read_and_the_rest_is_reported() {
    let media_col = Value::Collection(Collection(vec![
        Attribute::new("media-size", MediaSize::A4.to_collection()),
        Attribute::new("media-type", Value::keyword("stationery")),
    ]));
    let message = with_job(
        request(OperationId::PrintJob),
        vec![
            Attribute::new("copies", Value::Integer(3)),
            Attribute::new("sides", Value::keyword("two-sided-long-edge")),
            Attribute::new("media-col", media_col),
            Attribute::set("page-ranges", [Value::Range { lower: 2, upper: 3 }, Value::Range { lower: 9, upper: 99 }]),
            Attribute::new("number-up", Value::Integer(4)),
            Attribute::new("x-owner", Value::keyword("me")),
        ],
    );
    let (ticket, document, unsupported) = printed(&message);
    assert_eq!((ticket.copies, ticket.sides), (3, Some(Sides::TwoSidedLongEdge)));
    assert_eq!(ticket.media.as_ref().map(|media| &*media.size.name), Some("iso_a4_210x297mm"));
    assert_eq!(document.format, None);
    assert_eq!(
        unsupported,
        [Attribute::new("number-up", Value::Integer(4)), Attribute::new("x-owner", Value::UNSUPPORTED),]
    );
    // Of 10 pages 2, 3, 9 and 10 are wanted, three times; a raster is printed whole.
    assert_eq!(ticket.pages(DocumentFormat::Pdf, 10), 12);
    assert_eq!(ticket.pages(DocumentFormat::Urf, 10), 30);
    assert_eq!(status(&message), StatusCode::SuccessfulOkIgnoredOrSubstitutedAttributes);

    let mut insisting = message;
    operation_group(&mut insisting).push(Attribute::new("ipp-attribute-fidelity", Value::Boolean(true)));
    let refusal = read(&insisting).expect_err("cannot be done in full");
    assert_eq!(refusal.status, StatusCode::ClientErrorAttributesOrValuesNotSupported);
    assert_eq!(refusal.unsupported.len(), 2);
}

#[test]
fn ways_to_print_more_than_is_priced_are_refused() {
    let copies = |n| Attribute::new("copies", Value::Integer(n));
    let range = |lower, upper| Value::Range { lower, upper };
    let print = || request(OperationId::PrintJob);

    let mut in_operation = print();
    operation_group(&mut in_operation).push(copies(100));
    assert_eq!(status(&in_operation), StatusCode::ClientErrorBadRequest);

    let two_groups = with_job(with_job(print(), vec![copies(1)]), vec![copies(100)]);
    assert_eq!(status(&two_groups), StatusCode::ClientErrorBadRequest);

    let set = with_job(print(), vec![Attribute::set("copies", [Value::Integer(1), Value::Integer(100)])]);
    assert_eq!(status(&set), StatusCode::ClientErrorBadRequest);

    for ranges in [vec![range(1, 5), range(5, 6)], vec![range(3, 1)], vec![range(0, 1)], vec![range(4, 5), range(1, 2)]]
    {
        let message = with_job(print(), vec![Attribute::set("page-ranges", ranges)]);
        assert_eq!(status(&message), StatusCode::ClientErrorBadRequest);
    }
    for number in [0, -1, 1_000, i32::MAX] {
        let (ticket, _, unsupported) = printed(&with_job(print(), vec![copies(number)]));
        assert_eq!((ticket.copies, unsupported), (1, vec![copies(number)]));
    }
}

#[test]
fn a_format_or_compression_not_offered_is_named_in_the_refusal() {
    for (name, value, expected) in [
        (
            "document-format",
            Value::MimeMediaType("application/postscript".into()),
            StatusCode::ClientErrorDocumentFormatNotSupported,
        ),
        ("compression", Value::keyword("gzip"), StatusCode::ClientErrorCompressionNotSupported),
    ] {
        let mut message = request(OperationId::ValidateJob);
        operation_group(&mut message).push(Attribute::new(name, value));
        let refusal = read(&message).expect_err("refused");
        assert_eq!((refusal.status, refusal.unsupported.len()), (expected, 1));
    }
}

#[test]
fn jobs_are_named_by_id_or_uri() {
    let mut by_id = request(OperationId::CancelJob);
    operation_group(&mut by_id).push(Attribute::new("job-id", Value::Integer(17)));
    let mut by_uri = request(OperationId::CancelJob);
    operation_group(&mut by_uri)[2] = Attribute::new("job-uri", Value::uri("ipp://box/ipp/print/front/17"));
    for message in [by_id, by_uri] {
        assert_eq!(read(&message).map(|request| request.operation), Ok(Operation::CancelJob { job: 17 }));
    }
    assert_eq!(status(&request(OperationId::CancelJob)), StatusCode::ClientErrorBadRequest);

    let mut send = request(OperationId::SendDocument);
    operation_group(&mut send).push(Attribute::new("job-id", Value::Integer(17)));
    assert_eq!(status(&send), StatusCode::ClientErrorBadRequest, "last-document is missing");

    let mut list = request(OperationId::GetJobs);
    operation_group(&mut list).push(Attribute::new("which-jobs", Value::keyword("pending-held")));
    let operation = read(&list).expect("accepted").operation;
    assert!(matches!(operation, Operation::GetJobs { which: WhichJobs::In(JobState::PendingHeld), .. }));
}

// ---- answers

fn queue() -> PrinterDescription {
    let uri = QueueUri {
        uri: "ipps://box:8631/ipp/print/front".to_owned(),
        tls: true,
        authentication: Authentication::Basic,
    };
    let uuid = "00000000-0000-4000-8000-000000000001".to_owned();
    PrinterDescription::new("front".to_owned(), "Front desk".to_owned(), uuid, vec![uri], can())
}

fn names(requested: &[&str]) -> Vec<String> {
    let group = printer_attributes(&queue(), &Requested::names(requested));
    group.attributes.iter().map(|attribute| attribute.name().to_owned()).collect()
}

#[test]
fn requested_attributes_are_honoured_exactly() {
    assert_eq!(names(&["printer-name", "no-such-thing"]), ["printer-name"]);
    assert_eq!(names(&["media-col-database"]), ["media-col-database"]);
    let all = names(&["all"]);
    assert!(!all.contains(&"media-col-database".to_owned()));
    assert!(names(&["all", "media-col-database"]).len() == all.len() + 1);
    let template = names(&["job-template"]);
    assert!(template.contains(&"copies-supported".to_owned()) && !template.contains(&"printer-name".to_owned()));
    assert_eq!(template.len() + names(&["printer-description"]).len(), all.len());
    assert!(names(&["job-description"]).is_empty());
    let unique: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!(unique.len(), all.len(), "an attribute is answered twice");
}

#[test]
fn an_answer_is_well_formed_by_our_own_strict_reader() {
    let mut message = Message::new(Version::V1_1, 0, 1);
    message.groups.push(printer_attributes(&queue(), &Requested::names(&["all", "media-col-database"])));
    let decoded = head(&message);
    assert_eq!(decoded, message);
    assert!(Capabilities::from_printer(&decoded).is_some_and(|known| known.duplex && known.colour));
}

#[test]
fn a_printers_words_are_cut_down_to_what_is_safe_to_repeat() {
    let mut answer = Message::new(Version::V2_0, 0, 1);
    answer.groups.push(Group::new(
        GroupTag::Printer,
        vec![
            Attribute::set(
                "document-format-supported",
                ["application/postscript", "application/pdf"].map(|format| Value::MimeMediaType(format.into())),
            ),
            Attribute::set(
                "media-supported",
                [
                    Value::keyword("na_letter_8.5x11in"),
                    Value::keyword("iso_a4_210x297mm"),
                    Value::keyword("evil\n*cupsFilter2"),
                    Value::keyword("custom_max_9999x9999mm"),
                ],
            ),
            Attribute::new("media-default", Value::keyword("iso_a4_210x297mm")),
            Attribute::set("media-source-supported", [Value::keyword("4"), Value::keyword("tray-1")]),
            Attribute::new("printer-make-and-model", Value::text("Laser\r\n 9000")),
        ],
    ));
    let known = Capabilities::from_printer(&head(&answer)).expect("takes PDF");
    assert_eq!(known.formats, [DocumentFormat::Pdf]);
    assert_eq!(known.media, [MediaSize::A4, MediaSize::LETTER]);
    assert_eq!(known.media_sources, ["tray-1"]);
    assert_eq!(known.make_and_model, "Laser 9000");
}

// ---- the printer behind

#[test]
fn the_printer_is_sent_what_was_priced_and_nothing_else() {
    let (ticket, _, _) = printed(&with_job(
        request(OperationId::PrintJob),
        vec![
            Attribute::new("copies", Value::Integer(2)),
            Attribute::new("page-ranges", Value::Range { lower: 1, upper: 1 }),
            Attribute::new("x-secret-copies", Value::Integer(50)),
        ],
    ));
    let job = |format| upstream::UpstreamJob { job_name: "job_1".to_owned(), format, ticket: ticket.clone() };
    for (format, ranges) in [(DocumentFormat::Pdf, true), (DocumentFormat::PwgRaster, false)] {
        let bytes = upstream::UpstreamRequest::PrintJob(Box::new(job(format))).encode("ipp://printer/ipp/print", 9);
        let message = decode(&bytes, Peer::Client).expect("well formed");
        let sent: Vec<_> =
            message.first(GroupTag::Job).expect("a ticket").attributes.iter().map(Attribute::name).collect();
        assert_eq!(sent, if ranges { vec!["copies", "page-ranges"] } else { vec!["copies"] });
        assert!(read(&message).is_ok());
    }
}

#[test]
fn a_printers_answer_is_read_as_far_as_it_makes_sense() {
    let mut answer = Message::new(Version::V2_0, 0, 9);
    answer.groups.push(Group::new(
        GroupTag::Job,
        vec![
            Attribute::new("job-id", Value::Integer(4)),
            Attribute::new("job-state", Value::Enum(9)),
            Attribute::set("job-state-reasons", [Value::keyword("none")]),
            Attribute::new("job-impressions-completed", Value::Integer(-2)),
            Attribute::new("job-media-sheets-completed", Value::Integer(3)),
        ],
    ));
    let answer = upstream::decode_answer(&answer.encode(), 9).expect("well formed");
    let job = upstream::UpstreamJobStatus::first(&answer).expect("a job");
    assert_eq!(
        (job.state, job.impressions_completed, job.sheets_completed),
        (Some(JobState::Completed), None, Some(3))
    );
    assert!(job.state_reasons.is_empty());
    assert_eq!(upstream::decode_answer(&answer.encode(), 8), Err(upstream::AnswerFault::RequestId));
}
