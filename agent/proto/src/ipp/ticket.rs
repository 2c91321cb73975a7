//! The job ticket: what a client asks for in the job group (RFC 8011 5.2, PWG 5100.7), read once into values that cannot be
//! wrong. The ticket is also the whitelist: only what stands here is priced, shown, and written again for the printer. The
//! client's own bytes go no further.

use super::capability::{COPIES_MAX, Capabilities, DocumentFormat, keywords};
use super::media::Media;
use super::model::{Attribute, Collection, Group, Str, Value};

keywords! {
    /// RFC 8011 5.2.8.
    Sides {
        OneSided = "one-sided",
        TwoSidedLongEdge = "two-sided-long-edge",
        TwoSidedShortEdge = "two-sided-short-edge",
    }
    /// PWG 5100.13 6.2.3.
    ColorMode {
        Auto = "auto",
        Color = "color",
        Monochrome = "monochrome",
    }
    /// RFC 8011 5.2.2: the two that need no clock.
    HoldUntil {
        NoHold = "no-hold",
        Indefinite = "indefinite",
    }
    /// PWG 5100.16 5.2.1.
    Scaling {
        Auto = "auto",
        AutoFit = "auto-fit",
        Fill = "fill",
        Fit = "fit",
        None = "none",
    }
    /// RFC 8011 5.2.4, for copies of the one document a job has.
    Collation {
        Collated = "separate-documents-collated-copies",
        Uncollated = "separate-documents-uncollated-copies",
    }
}

/// Pages of the document, counted from 1, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRange {
    pub first: u32,
    pub last: u32,
}

/// What one job asks for. `None` leaves it to the printer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Cleaned of control characters; personal.
    pub job_name: Option<String>,
    /// 1 to [`COPIES_MAX`].
    pub copies: u32,
    pub sides: Option<Sides>,
    pub color_mode: Option<ColorMode>,
    pub media: Option<Media>,
    /// Ascending, without overlap; empty means every page.
    pub page_ranges: Vec<PageRange>,
    pub hold_until: HoldUntil,
    /// 3 draft, 4 normal, 5 high.
    pub quality: Option<i32>,
    /// 3 portrait to 6 reverse portrait.
    pub orientation: Option<i32>,
    pub resolution_dpi: Option<i32>,
    pub scaling: Option<Scaling>,
    pub collation: Option<Collation>,
    /// 1 to 100; shown, not obeyed: members are equal.
    pub priority: i32,
}

impl Default for Ticket {
    fn default() -> Self {
        Self {
            job_name: None,
            copies: 1,
            sides: None,
            color_mode: None,
            media: None,
            page_ranges: Vec::new(),
            hold_until: HoldUntil::NoHold,
            quality: None,
            orientation: None,
            resolution_dpi: None,
            scaling: None,
            collation: None,
            priority: PRIORITY_DEFAULT,
        }
    }
}

pub(super) const PRIORITY_DEFAULT: i32 = 50;
/// Longest `page-ranges`: more single pages than anyone lists by hand.
const PAGE_RANGES_MAX: usize = 256;

/// The job attributes a queue takes: `job-creation-attributes-supported`, and what may not stand in the operation group.
pub const TEMPLATE_NAMES: &[&str] = &[
    "copies",
    "finishings",
    "job-hold-until",
    "job-priority",
    "job-sheets",
    "media",
    "media-col",
    "multiple-document-handling",
    "number-up",
    "orientation-requested",
    "output-bin",
    "page-ranges",
    "print-color-mode",
    "print-content-optimize",
    "print-quality",
    "print-rendering-intent",
    "print-scaling",
    "printer-resolution",
    "sides",
];

/// A ticket that contradicts itself is refused whatever the fidelity; everything else is read or reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TicketFault {
    /// RFC 8011 5.2.7: ascending, not overlapping, first not above last.
    PageRanges,
    /// PWG 5100.7: not both.
    MediaTwice,
    /// A set where one value belongs.
    ManyValues,
}

impl Ticket {
    /// Reads the job group. What is not supported is left out of the ticket and put into `unsupported`: with the value when
    /// the value is the trouble, with the value `unsupported` when the name is.
    pub(super) fn read(
        group: Option<&Group>,
        capabilities: &Capabilities,
        unsupported: &mut Vec<Attribute>,
    ) -> Result<Self, TicketFault> {
        let mut ticket = Self::default();
        let Some(group) = group else { return Ok(ticket) };
        if group.attribute("media").is_some() && group.attribute("media-col").is_some() {
            return Err(TicketFault::MediaTwice);
        }
        for attribute in &group.attributes {
            match ticket.take(attribute, capabilities)? {
                Taken::Yes => {}
                Taken::ValueUnsupported => unsupported.push(attribute.clone()),
                Taken::NameUnsupported => {
                    unsupported.push(Attribute::new(attribute.name().to_owned(), Value::UNSUPPORTED));
                }
            }
        }
        Ok(ticket)
    }

    fn take(&mut self, attribute: &Attribute, capabilities: &Capabilities) -> Result<Taken, TicketFault> {
        if attribute.name() == "page-ranges" {
            return self.take_page_ranges(attribute);
        }
        if !TEMPLATE_NAMES.contains(&attribute.name()) {
            return Ok(Taken::NameUnsupported);
        }
        if attribute.name() == "finishings" {
            return Ok(Taken::when(attribute.values().iter().all(|value| *value == Value::Enum(FINISHINGS_NONE))));
        }
        let value = attribute.only().ok_or(TicketFault::ManyValues)?;
        Ok(self.take_one(attribute.name(), value, capabilities))
    }

    fn take_one(&mut self, name: &str, value: &Value, capabilities: &Capabilities) -> Taken {
        let word = value.as_str().unwrap_or("");
        let number = value.as_integer().unwrap_or(0);
        match name {
            "copies" => match u32::try_from(number) {
                Ok(copies @ 1..=COPIES_MAX) => self.copies = copies,
                Ok(_) | Err(_) => return Taken::ValueUnsupported,
            },
            "sides" => match Sides::from_keyword(word) {
                Some(sides) if sides == Sides::OneSided || capabilities.duplex => self.sides = Some(sides),
                Some(_) | None => return Taken::ValueUnsupported,
            },
            "print-color-mode" => match ColorMode::from_keyword(word) {
                Some(mode) if mode != ColorMode::Color || capabilities.colour => self.color_mode = Some(mode),
                Some(_) | None => return Taken::ValueUnsupported,
            },
            "media" => return self.take_media(capabilities.media_named(word).cloned().map(plain)),
            "media-col" => return self.take_media(read_media_col(value, capabilities)),
            "job-hold-until" => return Taken::from(&mut self.hold_until, HoldUntil::from_keyword(word)),
            "print-scaling" => return Taken::from_option(&mut self.scaling, Scaling::from_keyword(word)),
            "multiple-document-handling" => {
                return Taken::from_option(&mut self.collation, Collation::from_keyword(word));
            }
            "print-quality" if capabilities.qualities.contains(&number) => self.quality = Some(number),
            "orientation-requested" if (3..=6).contains(&number) => self.orientation = Some(number),
            "job-priority" if (1..=100).contains(&number) => self.priority = number,
            "printer-resolution" => match *value {
                Value::Resolution { cross_feed, feed, units: 3 }
                    if cross_feed == feed && capabilities.resolutions_dpi.contains(&feed) =>
                {
                    self.resolution_dpi = Some(feed);
                }
                _ => return Taken::ValueUnsupported,
            },
            // Of these the queue offers one value each, and it means "as usual".
            "number-up" => return Taken::when(number == 1),
            "job-sheets" => return Taken::when(word == "none"),
            "output-bin" => return Taken::when(word == "face-down"),
            "print-content-optimize" | "print-rendering-intent" => return Taken::when(word == "auto"),
            _ => return Taken::ValueUnsupported,
        }
        Taken::Yes
    }

    fn take_media(&mut self, media: Option<Media>) -> Taken {
        Taken::from_option(&mut self.media, media)
    }

    fn take_page_ranges(&mut self, attribute: &Attribute) -> Result<Taken, TicketFault> {
        if attribute.values().len() > PAGE_RANGES_MAX {
            return Err(TicketFault::PageRanges);
        }
        let mut ranges: Vec<PageRange> = Vec::with_capacity(attribute.values().len());
        for value in attribute.values() {
            let Value::Range { lower, upper } = *value else { return Err(TicketFault::PageRanges) };
            let (Ok(first), Ok(last)) = (u32::try_from(lower), u32::try_from(upper)) else {
                return Err(TicketFault::PageRanges);
            };
            if first == 0 || first > last || ranges.last().is_some_and(|before| before.last >= first) {
                return Err(TicketFault::PageRanges);
            }
            ranges.push(PageRange { first, last });
        }
        self.page_ranges = ranges;
        Ok(Taken::Yes)
    }

    /// The ranges that apply to a document: printers pick pages out of a PDF alone, so elsewhere they are neither priced
    /// nor passed on.
    #[must_use]
    pub fn ranges_for(&self, format: DocumentFormat) -> &[PageRange] {
        match format {
            DocumentFormat::Pdf => &self.page_ranges,
            DocumentFormat::Urf | DocumentFormat::PwgRaster | DocumentFormat::Jpeg => &[],
        }
    }

    /// Pages that come out for a document of so many: after page-ranges, times copies.
    #[must_use]
    pub fn pages(&self, format: DocumentFormat, document_pages: u32) -> u32 {
        let ranges = self.ranges_for(format);
        let pages = if ranges.is_empty() {
            document_pages
        } else {
            let inside = |range: &PageRange| range.last.min(document_pages).saturating_sub(range.first - 1);
            ranges.iter().map(inside).fold(0, u32::saturating_add)
        };
        pages.saturating_mul(self.copies)
    }

    /// The ticket as job attributes: what Get-Job-Attributes shows, and what goes to the printer.
    #[must_use]
    pub fn attributes(&self) -> Vec<Attribute> {
        let mut list = vec![Attribute::new("copies", Value::Integer(i32::try_from(self.copies).unwrap_or(1)))];
        let mut add =
            |name: &'static str, value: Option<Value>| list.extend(value.map(|value| Attribute::new(name, value)));
        add("sides", self.sides.map(|sides| Value::keyword(sides.as_str())));
        add("print-color-mode", self.color_mode.map(|mode| Value::keyword(mode.as_str())));
        add("print-quality", self.quality.map(Value::Enum));
        add("orientation-requested", self.orientation.map(Value::Enum));
        add("printer-resolution", self.resolution_dpi.map(dpi));
        add("print-scaling", self.scaling.map(|scaling| Value::keyword(scaling.as_str())));
        add("multiple-document-handling", self.collation.map(|collation| Value::keyword(collation.as_str())));
        match &self.media {
            None => {}
            Some(media) if is_plain(media) => add("media", Some(Value::Keyword(media.size.name.clone()))),
            Some(media) => add("media-col", Some(media.to_collection())),
        }
        if !self.page_ranges.is_empty() {
            list.push(page_ranges(&self.page_ranges));
        }
        list
    }
}

pub(super) const FINISHINGS_NONE: i32 = 3;

pub(super) fn page_ranges(ranges: &[PageRange]) -> Attribute {
    let end = |page: u32| i32::try_from(page).unwrap_or(i32::MAX);
    Attribute::set(
        "page-ranges",
        ranges.iter().map(|range| Value::Range { lower: end(range.first), upper: end(range.last) }),
    )
}

pub(super) const fn dpi(dpi: i32) -> Value {
    Value::Resolution { cross_feed: dpi, feed: dpi, units: 3 }
}

const fn plain(size: super::media::MediaSize) -> Media {
    Media { size, media_type: None, source: None, borderless: false }
}

const fn is_plain(media: &Media) -> bool {
    media.media_type.is_none() && media.source.is_none() && !media.borderless
}

/// What became of one attribute.
enum Taken {
    Yes,
    ValueUnsupported,
    NameUnsupported,
}

impl Taken {
    const fn when(supported: bool) -> Self {
        if supported { Self::Yes } else { Self::ValueUnsupported }
    }

    fn from<T>(place: &mut T, value: Option<T>) -> Self {
        match value {
            Some(value) => {
                *place = value;
                Self::Yes
            }
            None => Self::ValueUnsupported,
        }
    }

    fn from_option<T>(place: &mut Option<T>, value: Option<T>) -> Self {
        *place = value;
        Self::when(place.is_some())
    }
}

/// `media-col` with members the queue knows and a size it offers; none otherwise.
fn read_media_col(value: &Value, capabilities: &Capabilities) -> Option<Media> {
    let Value::Collection(collection) = value else { return None };
    let word = |name: &str| collection.member(name).map(|member| member.only().and_then(Value::as_str).unwrap_or(""));
    let size = match (collection.member("media-size"), word("media-size-name").or_else(|| word("media-key"))) {
        (Some(size), _) => {
            let Some(Value::Collection(size)) = size.only() else { return None };
            capabilities.media_sized(dimension(size, "x-dimension")?, dimension(size, "y-dimension")?)?
        }
        (None, Some(name)) => capabilities.media_named(name)?,
        (None, None) => capabilities.default_media(),
    };
    let offered = |name: &str, offers: &[Str]| match word(name) {
        None => Some(None),
        Some(word) => offers.iter().find(|offer| *offer == word).map(|offer| Some(offer.clone())),
    };
    Some(Media {
        size: size.clone(),
        media_type: offered("media-type", &capabilities.media_types)?,
        source: offered("media-source", &capabilities.media_sources)?,
        borderless: capabilities.borderless && asks_no_margin(collection),
    })
}

fn dimension(size: &Collection, name: &str) -> Option<i32> {
    size.member(name)?.only()?.as_integer()
}

fn asks_no_margin(collection: &Collection) -> bool {
    ["media-bottom-margin", "media-left-margin", "media-right-margin", "media-top-margin"]
        .iter()
        .all(|name| collection.member(name).and_then(Attribute::only).and_then(Value::as_integer) == Some(0))
}
