//! What a queue tells about itself (RFC 8011 5.4, PWG 5100.14 5, what iOS, Windows, Android and CUPS ask for). The baseline
//! is what ippeveprinter answers; nothing is claimed here that the ticket reader does not take.

use super::capability::{COPIES_MAX, Capabilities, Compression};
use super::code::{OperationId, PrinterState};
use super::media::{MARGIN, Media, MediaSize};
use super::model::{Attribute, Collection, DateTime, Group, GroupTag, Str, Value};
use super::operation::which_jobs_supported;
use super::requested::{Class, Requested, Selection};
use super::ticket::{Collation, ColorMode, FINISHINGS_NONE, HoldUntil, PRIORITY_DEFAULT, Scaling, TEMPLATE_NAMES, dpi};

const T: Class = Class::Template;
const D: Class = Class::PrinterDescription;

/// How a queue can be reached at one of its addresses; `uri-security-supported` and `uri-authentication-supported`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueUri {
    pub uri: String,
    pub tls: bool,
    pub authentication: Authentication,
}

/// RFC 8011 5.4.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// No claim is needed or believed.
    None,
    /// The claim in the request is shown.
    RequestingUserName,
    Basic,
}

impl Authentication {
    const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::RequestingUserName => "requesting-user-name",
            Self::Basic => "basic",
        }
    }
}

/// A queue as it stands now. `*_up` are seconds on the printer-up-time clock, `*_at` seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrinterDescription {
    /// printer-name; also the last part of its URIs.
    pub name: String,
    /// printer-info: what a print dialogue shows.
    pub info: String,
    pub location: String,
    pub organization: String,
    /// Without `urn:uuid:`. Must not change as long as the queue lives: clients know it by this.
    pub uuid: String,
    /// At least one.
    pub uris: Vec<QueueUri>,
    /// The page about this queue, `https://`; also its charge-info, supply and icon base.
    pub more_info: String,
    pub icons: Vec<String>,
    /// The price, in one line, and where it is explained.
    pub charge_info: Option<(String, String)>,
    pub dns_sd_name: Option<String>,
    pub state: PrinterState,
    /// Keywords; empty is answered as `none`.
    pub state_reasons: Vec<Str>,
    pub state_message: String,
    pub accepting_jobs: bool,
    pub queued_jobs: u32,
    /// printer-up-time, at least 1.
    pub up_time: u32,
    pub now_at: i64,
    pub state_change_up: u32,
    pub state_change_at: i64,
    pub config_change_up: u32,
    pub config_change_at: i64,
    pub compressions: Vec<Compression>,
    pub job_max_k_octets: u32,
    /// Seconds until a job whose document never came is aborted.
    pub multiple_operation_time_out: u32,
    pub firmware_version: &'static str,
    pub capabilities: Capabilities,
}

impl PrinterDescription {
    /// A queue that has just come up, idle and accepting.
    #[must_use]
    pub fn new(name: String, info: String, uuid: String, uris: Vec<QueueUri>, capabilities: Capabilities) -> Self {
        Self {
            name,
            info,
            location: String::new(),
            organization: String::new(),
            uuid,
            uris,
            more_info: String::new(),
            icons: Vec::new(),
            charge_info: None,
            dns_sd_name: None,
            state: PrinterState::Idle,
            state_reasons: Vec::new(),
            state_message: String::new(),
            accepting_jobs: true,
            queued_jobs: 0,
            up_time: 1,
            now_at: 0,
            state_change_up: 1,
            state_change_at: 0,
            config_change_up: 1,
            config_change_at: 0,
            compressions: vec![Compression::None],
            job_max_k_octets: 1_024 * 1_024,
            multiple_operation_time_out: 60,
            firmware_version: env!("CARGO_PKG_VERSION"),
            capabilities,
        }
    }
}

fn count(number: u32) -> Value {
    Value::Integer(i32::try_from(number).unwrap_or(i32::MAX))
}

/// The printer group of an answer.
#[must_use]
pub fn printer_attributes(queue: &PrinterDescription, requested: &Requested) -> Group {
    let mut selection = Selection::new(requested);
    identity(queue, &mut selection);
    status(queue, &mut selection);
    protocol(queue, &mut selection);
    jobs(queue, &mut selection);
    documents(queue, &mut selection);
    template(queue, &mut selection);
    quality(&queue.capabilities, &mut selection);
    media(&queue.capabilities, &mut selection);
    Group::new(GroupTag::Printer, selection.attributes)
}

fn identity(queue: &PrinterDescription, to: &mut Selection<'_>) {
    let text = |text: &str| Value::text(super::clean(text, 127));
    to.add_set(D, "printer-uri-supported", || queue.uris.iter().map(|uri| Value::uri(uri.uri.clone())));
    to.add_keywords(D, "uri-security-supported", queue.uris.iter().map(|uri| if uri.tls { "tls" } else { "none" }));
    to.add_keywords(D, "uri-authentication-supported", queue.uris.iter().map(|uri| uri.authentication.as_str()));
    to.add(D, "printer-name", || Value::name(super::clean(&queue.name, 127)));
    to.add(D, "printer-info", || text(&queue.info));
    to.add(D, "printer-location", || text(&queue.location));
    to.add(D, "printer-organization", || text(&queue.organization));
    to.add(D, "printer-organizational-unit", || text(""));
    to.add(D, "printer-geo-location", || Value::UNKNOWN);
    to.add(D, "printer-uuid", || Value::uri(format!("urn:uuid:{}", queue.uuid)));
    to.add(D, "printer-make-and-model", || text(&queue.capabilities.make_and_model));
    to.add(D, "printer-device-id", || Value::text(queue.capabilities.printer_device_id.clone()));
    to.add(D, "printer-firmware-name", || Value::name("Doorpost"));
    to.add(D, "printer-firmware-string-version", || Value::text(queue.firmware_version));
    to.add(D, "printer-firmware-version", || Value::OctetString(queue.firmware_version.into()));
    if let Some(name) = &queue.dns_sd_name {
        to.add(D, "printer-dns-sd-name", || Value::name(super::clean(name, 63)));
    }
    if !queue.more_info.is_empty() {
        to.add(D, "printer-more-info", || Value::uri(queue.more_info.clone()));
        to.add(D, "printer-supply-info-uri", || Value::uri(queue.more_info.clone()));
    }
    if !queue.icons.is_empty() {
        to.add_set(D, "printer-icons", || queue.icons.iter().map(|icon| Value::uri(icon.clone())));
    }
    if let Some((sentence, uri)) = &queue.charge_info {
        to.add(D, "printer-charge-info", || Value::text(super::clean(sentence, 1_023)));
        to.add(D, "printer-charge-info-uri", || Value::uri(uri.clone()));
    }
}

fn status(queue: &PrinterDescription, to: &mut Selection<'_>) {
    let date = |seconds: i64| Value::DateTime(DateTime::from_unix(seconds));
    to.add(D, "printer-state", || Value::Enum(queue.state.code()));
    to.add_set(D, "printer-state-reasons", || {
        let none = queue.state_reasons.is_empty().then(|| Value::keyword("none"));
        none.into_iter().chain(queue.state_reasons.iter().cloned().map(Value::Keyword))
    });
    to.add(D, "printer-state-message", || Value::text(super::clean(&queue.state_message, 1_023)));
    to.add(D, "printer-is-accepting-jobs", || Value::Boolean(queue.accepting_jobs));
    to.add(D, "queued-job-count", || count(queue.queued_jobs));
    to.add(D, "printer-up-time", || count(queue.up_time.max(1)));
    to.add(D, "printer-current-time", || date(queue.now_at));
    to.add(D, "printer-state-change-time", || count(queue.state_change_up));
    to.add(D, "printer-state-change-date-time", || date(queue.state_change_at));
    to.add(D, "printer-config-change-time", || count(queue.config_change_up));
    to.add(D, "printer-config-change-date-time", || date(queue.config_change_at));
    // Level -2: the queue does not know what is left (RFC 3805 prtMarkerSuppliesLevel).
    to.add(D, "printer-supply", || {
        Value::OctetString(
            b"index=1;class=supplyThatIsConsumed;type=toner;unit=percent;maxcapacity=100;level=-2;colorantname=black;"
                .to_vec(),
        )
    });
    to.add(D, "printer-supply-description", || Value::text("Toner"));
}

fn protocol(queue: &PrinterDescription, to: &mut Selection<'_>) {
    to.add_keywords(D, "ipp-versions-supported", ["1.0", "1.1", "2.0"]);
    to.add_keywords(D, "ipp-features-supported", ["ipp-everywhere"]);
    to.add_set(D, "operations-supported", || OperationId::ALL.iter().map(|id| Value::Enum(i32::from(id.code()))));
    to.add(D, "charset-configured", || Value::Charset("utf-8".into()));
    to.add_set(D, "charset-supported", || ["us-ascii", "utf-8"].map(|name| Value::Charset(name.into())));
    to.add(D, "natural-language-configured", || Value::NaturalLanguage("en".into()));
    to.add(D, "generated-natural-language-supported", || Value::NaturalLanguage("en".into()));
    to.add_keywords(D, "compression-supported", queue.compressions.iter().map(|way| way.as_str()));
    to.add_keywords(D, "printer-get-attributes-supported", ["document-format"]);
    to.add_keywords(
        D,
        "requested-attributes-supported",
        ["all", "job-template", "printer-description", "media-col-database"],
    );
    to.add(D, "preferred-attributes-supported", || Value::Boolean(false));
    to.add_keywords(D, "identify-actions-default", ["display"]);
    to.add_keywords(D, "identify-actions-supported", ["display"]);
    // The URIs that Print-URI could fetch; there is no Print-URI, so nothing but the word that must be there.
    to.add(D, "reference-uri-schemes-supported", || Value::UriScheme("https".into()));
}

fn jobs(queue: &PrinterDescription, to: &mut Selection<'_>) {
    const OPERATION_NAMES: [&str; 9] = [
        "compression",
        "document-format",
        "document-name",
        "ipp-attribute-fidelity",
        "job-mandatory-attributes",
        "job-name",
        "requesting-user-name",
        "attributes-charset",
        "attributes-natural-language",
    ];
    to.add_keywords(D, "job-creation-attributes-supported", OPERATION_NAMES.iter().chain(TEMPLATE_NAMES).copied());
    to.add(D, "job-ids-supported", || Value::Boolean(true));
    to.add(D, "job-k-octets-supported", || range(0, queue.job_max_k_octets));
    to.add_keywords(D, "which-jobs-supported", which_jobs_supported());
    to.add(D, "multiple-document-jobs-supported", || Value::Boolean(false));
    to.add(D, "multiple-operation-time-out", || count(queue.multiple_operation_time_out));
    to.add_keywords(D, "multiple-operation-time-out-action", ["abort-job"]);
    to.add(D, "job-account-id-supported", || Value::Boolean(false));
    to.add(D, "job-accounting-user-id-supported", || Value::Boolean(false));
    to.add_keywords(D, "job-settable-attributes-supported", ["none"]);
}

fn range(lower: u32, upper: u32) -> Value {
    let end = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    Value::Range { lower: end(lower), upper: end(upper) }
}

fn documents(queue: &PrinterDescription, to: &mut Selection<'_>) {
    let known = &queue.capabilities;
    let media_type = |name: &'static str| Value::MimeMediaType(name.into());
    let first = known.formats.first().map_or("application/pdf", |format| format.as_str());
    to.add(D, "document-format-default", || media_type(first));
    to.add(D, "document-format-preferred", || media_type(first));
    to.add_set(D, "document-format-supported", || known.formats.iter().map(|format| media_type(format.as_str())));
    to.add_keywords(D, "pdl-override-supported", ["attempted"]);
    to.add_keywords(
        D,
        "pdf-versions-supported",
        ["adobe-1.3", "adobe-1.4", "adobe-1.5", "adobe-1.6", "adobe-1.7", "iso-32000-1_2008"],
    );
    to.add_keywords(D, "urf-supported", known.urf.iter().cloned());
    to.add_keywords(D, "pwg-raster-document-type-supported", known.pwg_raster_types.iter().cloned());
    to.add_set(D, "pwg-raster-document-resolution-supported", || {
        known.pwg_raster_resolutions_dpi.iter().map(|&each| dpi(each))
    });
    to.add_keywords(D, "pwg-raster-document-sheet-back", [known.pwg_raster_sheet_back.clone()]);
    to.add(D, "color-supported", || Value::Boolean(known.colour));
    to.add(D, "pages-per-minute", || Value::Integer(known.pages_per_minute));
    if known.colour {
        to.add(D, "pages-per-minute-color", || Value::Integer(known.pages_per_minute));
    }
}

fn template(queue: &PrinterDescription, to: &mut Selection<'_>) {
    let sides: &[&str] = if queue.capabilities.duplex {
        &["one-sided", "two-sided-long-edge", "two-sided-short-edge"]
    } else {
        &["one-sided"]
    };
    to.add(T, "copies-default", || Value::Integer(1));
    to.add(T, "copies-supported", || range(1, COPIES_MAX));
    to.add_keywords(T, "sides-default", ["one-sided"]);
    to.add_keywords(T, "sides-supported", sides.iter().copied());
    to.add(T, "finishings-default", || Value::Enum(FINISHINGS_NONE));
    to.add(T, "finishings-supported", || Value::Enum(FINISHINGS_NONE));
    to.add_keywords(T, "job-hold-until-default", [HoldUntil::NoHold.as_str()]);
    to.add_keywords(T, "job-hold-until-supported", HoldUntil::ALL.iter().map(|until| until.as_str()));
    to.add(T, "job-priority-default", || Value::Integer(PRIORITY_DEFAULT));
    to.add(T, "job-priority-supported", || Value::Integer(1));
    to.add_keywords(T, "job-sheets-default", ["none"]);
    to.add_keywords(T, "job-sheets-supported", ["none"]);
    to.add_keywords(T, "multiple-document-handling-default", [Collation::Collated.as_str()]);
    to.add_keywords(T, "multiple-document-handling-supported", Collation::ALL.iter().map(|way| way.as_str()));
    to.add(T, "number-up-default", || Value::Integer(1));
    to.add(T, "number-up-supported", || Value::Integer(1));
    to.add(T, "orientation-requested-default", || Value::Enum(3));
    to.add_set(T, "orientation-requested-supported", || (3..=6).map(Value::Enum));
    to.add_keywords(T, "output-bin-default", ["face-down"]);
    to.add_keywords(T, "output-bin-supported", ["face-down"]);
    to.add(T, "page-ranges-supported", || {
        Value::Boolean(queue.capabilities.formats.contains(&super::DocumentFormat::Pdf))
    });
}

fn quality(known: &Capabilities, to: &mut Selection<'_>) {
    let modes = if known.colour { ColorMode::ALL } else { &[ColorMode::Auto, ColorMode::Monochrome] };
    to.add_keywords(T, "print-color-mode-default", [ColorMode::Auto.as_str()]);
    to.add_keywords(T, "print-color-mode-supported", modes.iter().map(|mode| mode.as_str()));
    to.add_keywords(T, "print-content-optimize-default", ["auto"]);
    to.add_keywords(T, "print-content-optimize-supported", ["auto"]);
    to.add_keywords(T, "print-rendering-intent-default", ["auto"]);
    to.add_keywords(T, "print-rendering-intent-supported", ["auto"]);
    to.add_keywords(T, "print-scaling-default", [Scaling::Auto.as_str()]);
    to.add_keywords(T, "print-scaling-supported", Scaling::ALL.iter().map(|way| way.as_str()));
    let default = if known.qualities.contains(&4) { 4 } else { known.qualities.first().copied().unwrap_or(4) };
    to.add(T, "print-quality-default", || Value::Enum(default));
    to.add_set(T, "print-quality-supported", || known.qualities.iter().map(|&each| Value::Enum(each)));
    to.add(T, "printer-resolution-default", || dpi(known.resolutions_dpi.first().copied().unwrap_or(300)));
    to.add_set(T, "printer-resolution-supported", || known.resolutions_dpi.iter().map(|&each| dpi(each)));
}

fn media(known: &Capabilities, to: &mut Selection<'_>) {
    const MEMBERS: [&str; 8] = [
        "media-bottom-margin",
        "media-left-margin",
        "media-right-margin",
        "media-size",
        "media-size-name",
        "media-source",
        "media-top-margin",
        "media-type",
    ];
    let ready = || known.media_ready.iter().map(|size| entry(known, size, false));
    to.add(T, "media-default", || Value::Keyword(known.default_media().name.clone()));
    to.add_keywords(T, "media-ready", known.media_ready.iter().map(|size| size.name.clone()));
    to.add_keywords(T, "media-supported", known.media.iter().map(|size| size.name.clone()));
    to.add(T, "media-col-default", || entry(known, known.default_media(), false));
    to.add_set(T, "media-col-ready", ready);
    to.add_keywords(T, "media-col-supported", MEMBERS);
    to.add_set(Class::ByName, "media-col-database", || database(known));
    to.add_set(D, "media-size-supported", || known.media.iter().map(MediaSize::to_collection));
    to.add_keywords(D, "media-source-supported", known.media_sources.iter().cloned());
    to.add_keywords(D, "media-type-supported", known.media_types.iter().cloned());
    let margins: &[i32] = if known.borderless { &[0, MARGIN] } else { &[MARGIN] };
    for side in [
        "media-bottom-margin-supported",
        "media-left-margin-supported",
        "media-right-margin-supported",
        "media-top-margin-supported",
    ] {
        to.add_set(D, side, || margins.iter().map(|&margin| Value::Integer(margin)));
    }
}

/// One way of loading one size, as `media-col`.
fn entry(known: &Capabilities, size: &MediaSize, borderless: bool) -> Value {
    let media = Media {
        size: size.clone(),
        media_type: known.media_types.first().cloned(),
        source: known.media_sources.first().cloned(),
        borderless,
    };
    let key = Attribute::new(
        "media-key",
        Value::keyword(format!("{}{}", size.name, if borderless { "_borderless" } else { "" })),
    );
    match media.to_collection() {
        Value::Collection(Collection(mut members)) => {
            members.insert(0, key);
            Value::Collection(Collection(members))
        }
        other => other,
    }
}

fn database(known: &Capabilities) -> Vec<Value> {
    let plain = known.media.iter().map(|size| entry(known, size, false));
    let bare = known.media.iter().filter(|_| known.borderless).map(|size| entry(known, size, true));
    plain.chain(bare).collect()
}
