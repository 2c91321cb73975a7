//! What a queue can do: what the printer behind it says, cut down to what this box understands, passes on and can price.
//! A printer's words are hostile input: only well-formed keywords of known attributes come through.

use super::limits::SET_MAX;
use super::media::{MARGIN, MediaSize, is_keyword};
use super::model::{GroupTag, Message, Str, Value};

/// Sizes shown at most; dialogues become unusable long before.
const MEDIA_SIZES_MAX: usize = 100;
/// Longest list of any other kind that is passed on.
const WORDS_MAX: usize = 64;
/// RFC 8011 5.2.5: the most copies a client may ask for here. A slip of the finger should not empty a tray twice.
pub const COPIES_MAX: u32 = 999;

macro_rules! keywords {
    ($($(#[$doc:meta])* $name:ident { $($variant:ident = $word:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($variant,)* }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            #[must_use]
            pub fn from_keyword(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.as_str() == word)
            }
        }
    )*};
}
pub(super) use keywords;

keywords! {
    /// Document formats whose pages can be counted. PostScript and PCL are programs and cannot.
    DocumentFormat {
        Pdf = "application/pdf",
        Urf = "image/urf",
        PwgRaster = "image/pwg-raster",
        Jpeg = "image/jpeg",
    }
    /// RFC 8011 5.4.32.
    Compression {
        None = "none",
        Gzip = "gzip",
        Deflate = "deflate",
    }
}

/// What the queue offers of its printer. Lists have no duplicates; `media` is never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    pub formats: Vec<DocumentFormat>,
    pub colour: bool,
    pub duplex: bool,
    pub make_and_model: String,
    /// The first is the default.
    pub media: Vec<MediaSize>,
    /// What lies in the trays now.
    pub media_ready: Vec<MediaSize>,
    pub media_types: Vec<Str>,
    pub media_sources: Vec<Str>,
    pub borderless: bool,
    /// Dots an inch, the first is the default.
    pub resolutions_dpi: Vec<i32>,
    /// `urf-supported`, without which iOS shows no printer.
    pub urf: Vec<Str>,
    pub pwg_raster_types: Vec<Str>,
    pub pwg_raster_resolutions_dpi: Vec<i32>,
    /// `pwg-raster-document-sheet-back`.
    pub pwg_raster_sheet_back: Str,
    /// `print-quality-supported`, 3 to 5.
    pub qualities: Vec<i32>,
    pub pages_per_minute: i32,
    pub printer_device_id: String,
}

impl Default for Capabilities {
    /// Until the printer has answered for the first time: what any office printer does.
    fn default() -> Self {
        Self {
            formats: vec![DocumentFormat::Pdf, DocumentFormat::Urf, DocumentFormat::PwgRaster, DocumentFormat::Jpeg],
            colour: false,
            duplex: false,
            make_and_model: "IPP Everywhere printer".to_owned(),
            media: vec![MediaSize::A4, MediaSize::LETTER],
            media_ready: vec![MediaSize::A4],
            media_types: vec!["stationery".into()],
            media_sources: vec!["auto".into()],
            borderless: false,
            resolutions_dpi: vec![300],
            urf: vec!["V1.4".into(), "CP1".into(), "W8".into(), "RS300".into(), "MT1".into(), "IS1".into()],
            pwg_raster_types: vec!["sgray_8".into()],
            pwg_raster_resolutions_dpi: vec![300],
            pwg_raster_sheet_back: "normal".into(),
            qualities: vec![4],
            pages_per_minute: 10,
            printer_device_id: "MFG:Doorpost;MDL:Queue;CMD:PDF,URF,PWGRaster,JPEG;".to_owned(),
        }
    }
}

impl Capabilities {
    /// Reads a printer's answer to Get-Printer-Attributes; what it does not say keeps the default. None where it takes no
    /// format that can be counted.
    #[must_use]
    pub fn from_printer(answer: &Message) -> Option<Self> {
        let said = Said(answer);
        let mut known = Self { formats: said.formats(), ..Self::default() };
        if known.formats.is_empty() {
            return None;
        }
        known.colour = said.boolean("color-supported");
        known.duplex = said.has("sides-supported", "two-sided-long-edge");
        known.borderless =
            ["media-top-margin-supported", "media-left-margin-supported"].iter().all(|n| said.has_zero(n));
        known.make_and_model = said.text("printer-make-and-model").unwrap_or(known.make_and_model);
        known.printer_device_id = said.text("printer-device-id").unwrap_or(known.printer_device_id);
        replace(&mut known.media, said.media());
        known.media_ready = said.sizes("media-ready");
        known.media_ready.retain(|ready| known.media.contains(ready));
        if known.media_ready.is_empty() {
            known.media_ready.push(known.default_media().clone());
        }
        replace(&mut known.media_types, said.words("media-type-supported"));
        replace(&mut known.media_sources, said.words("media-source-supported"));
        // Windows 11 hangs while connecting where a source is a bare number.
        known.media_sources.retain(|source| !source.bytes().all(|byte| byte.is_ascii_digit()));
        replace(&mut known.resolutions_dpi, said.resolutions());
        replace(&mut known.urf, said.words("urf-supported"));
        replace(&mut known.pwg_raster_types, said.words("pwg-raster-document-type-supported"));
        replace(&mut known.pwg_raster_resolutions_dpi, said.dpi("pwg-raster-document-resolution-supported"));
        known.pwg_raster_sheet_back =
            said.words("pwg-raster-document-sheet-back").into_iter().next().unwrap_or(known.pwg_raster_sheet_back);
        replace(&mut known.qualities, said.integers("print-quality-supported", 3..=5));
        known.pages_per_minute = said.integers("pages-per-minute", 1..=10_000).first().copied().unwrap_or(10);
        Some(known)
    }

    /// The paper that stands for `media-default`.
    #[must_use]
    pub fn default_media(&self) -> &MediaSize {
        self.media.first().unwrap_or(const { &MediaSize::A4 })
    }

    #[must_use]
    pub fn media_named(&self, name: &str) -> Option<&MediaSize> {
        self.media.iter().find(|size| size.name == name)
    }

    #[must_use]
    pub fn media_sized(&self, x_dimension: i32, y_dimension: i32) -> Option<&MediaSize> {
        self.media.iter().find(|size| size.is_about(x_dimension, y_dimension))
    }

    #[must_use]
    pub const fn margin_min(&self) -> i32 {
        if self.borderless { 0 } else { MARGIN }
    }
}

fn replace<T>(list: &mut Vec<T>, said: Vec<T>) {
    if !said.is_empty() {
        *list = said;
    }
}

/// A printer's answer, read by attribute name.
struct Said<'a>(&'a Message);

impl<'a> Said<'a> {
    fn values(&self, name: &str) -> &'a [Value] {
        self.0.attribute(GroupTag::Printer, name).map_or(&[], |attribute| attribute.values())
    }

    fn boolean(&self, name: &str) -> bool {
        self.values(name).first().and_then(Value::as_boolean).unwrap_or(false)
    }

    fn has(&self, name: &str, word: &str) -> bool {
        self.values(name).iter().any(|value| value.as_str() == Some(word))
    }

    fn has_zero(&self, name: &str) -> bool {
        self.values(name).iter().any(|value| value.as_integer() == Some(0))
    }

    fn text(&self, name: &str) -> Option<String> {
        let text = super::clean(self.values(name).first()?.as_str()?, super::limits::NAME_MAX_BYTES / 2);
        (!text.is_empty()).then_some(text)
    }

    fn words(&self, name: &str) -> Vec<Str> {
        let mut words: Vec<Str> = Vec::new();
        for word in self.values(name).iter().filter_map(Value::as_str).take(SET_MAX) {
            if is_keyword(word) && words.len() < WORDS_MAX && !words.iter().any(|known| known == word) {
                words.push(word.to_owned().into());
            }
        }
        words
    }

    fn integers(&self, name: &str, range: std::ops::RangeInclusive<i32>) -> Vec<i32> {
        let mut numbers: Vec<i32> = self.values(name).iter().filter_map(Value::as_integer).collect();
        numbers.retain(|number| range.contains(number));
        numbers.dedup();
        numbers.truncate(WORDS_MAX);
        numbers
    }

    fn formats(&self) -> Vec<DocumentFormat> {
        DocumentFormat::ALL
            .iter()
            .copied()
            .filter(|format| self.has("document-format-supported", format.as_str()))
            .collect()
    }

    fn sizes(&self, name: &str) -> Vec<MediaSize> {
        let mut sizes: Vec<MediaSize> = Vec::new();
        for size in self.values(name).iter().filter_map(Value::as_str).filter_map(MediaSize::parse) {
            if sizes.len() < MEDIA_SIZES_MAX && !sizes.contains(&size) {
                sizes.push(size);
            }
        }
        sizes
    }

    /// `media-supported` with `media-default` brought to the front.
    fn media(&self) -> Vec<MediaSize> {
        let mut media = self.sizes("media-supported");
        let default = self.values("media-default").first().and_then(Value::as_str);
        if let Some(at) = media.iter().position(|size| Some(&*size.name) == default) {
            media[..=at].rotate_right(1);
        }
        media
    }

    fn dpi(&self, name: &str) -> Vec<i32> {
        let mut list = Vec::new();
        for value in self.values(name) {
            // Square dots counted by the inch are what every driverless format uses.
            if let Value::Resolution { cross_feed, feed, units: 3 } = *value
                && cross_feed == feed
                && (50..=4_800).contains(&feed)
                && !list.contains(&feed)
                && list.len() < WORDS_MAX
            {
                list.push(feed);
            }
        }
        list
    }

    /// `printer-resolution-supported` with the default brought to the front.
    fn resolutions(&self) -> Vec<i32> {
        let mut list = self.dpi("printer-resolution-supported");
        let default = self.dpi("printer-resolution-default");
        if let Some(at) = default.first().and_then(|default| list.iter().position(|dpi| dpi == default)) {
            list[..=at].rotate_right(1);
        }
        list
    }
}
