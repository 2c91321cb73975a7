//! Paper: PWG 5101.1 self-describing size names and the `media-col` collection (PWG 5100.7 6.3).

use super::model::{Attribute, Collection, Str, Value};
use std::borrow::Cow;

/// Lengths are hundredths of a millimetre, as in `media-size`.
const HUNDREDTHS_PER_INCH: f64 = 2_540.0;
const HUNDREDTHS_PER_MM: f64 = 100.0;
/// Two sizes this near are the same paper: 1 point, by which clients that compute in points miss.
const SIZE_TOLERANCE: i32 = 36;
/// The longest side taken from a name: 5 m of banner.
const SIZE_MAX: f64 = 500_000.0;

/// A size of paper by its PWG name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaSize {
    pub name: Str,
    /// Width, hundredths of a millimetre.
    pub x_dimension: i32,
    /// Height, hundredths of a millimetre.
    pub y_dimension: i32,
}

impl MediaSize {
    pub const A4: Self = Self { name: Cow::Borrowed("iso_a4_210x297mm"), x_dimension: 21_000, y_dimension: 29_700 };
    pub const LETTER: Self =
        Self { name: Cow::Borrowed("na_letter_8.5x11in"), x_dimension: 21_590, y_dimension: 27_940 };

    /// Reads `class_size-name_WIDTHxHEIGHTunit`. Anything else is no size this box can name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        if name.starts_with("custom_") || !is_keyword(name) {
            return None;
        }
        let dimensions = name.rsplit('_').next()?;
        let (dimensions, unit) = match (dimensions.strip_suffix("mm"), dimensions.strip_suffix("in")) {
            (Some(rest), _) => (rest, HUNDREDTHS_PER_MM),
            (None, Some(rest)) => (rest, HUNDREDTHS_PER_INCH),
            (None, None) => return None,
        };
        let (width, height) = dimensions.split_once('x')?;
        Some(Self { name: name.to_owned().into(), x_dimension: side(width, unit)?, y_dimension: side(height, unit)? })
    }

    #[must_use]
    pub const fn is_about(&self, x_dimension: i32, y_dimension: i32) -> bool {
        self.x_dimension.abs_diff(x_dimension) <= SIZE_TOLERANCE as u32
            && self.y_dimension.abs_diff(y_dimension) <= SIZE_TOLERANCE as u32
    }

    /// `media-size`.
    #[must_use]
    pub fn to_collection(&self) -> Value {
        Value::Collection(Collection(vec![
            Attribute::new("x-dimension", Value::Integer(self.x_dimension)),
            Attribute::new("y-dimension", Value::Integer(self.y_dimension)),
        ]))
    }
}

fn side(text: &str, unit: f64) -> Option<i32> {
    if !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    let hundredths = (text.parse::<f64>().ok()? * unit).round();
    // The range is checked first, so the conversion is exact.
    #[expect(clippy::cast_possible_truncation)]
    (1.0..=SIZE_MAX).contains(&hundredths).then_some(hundredths as i32)
}

/// RFC 8011 5.1.4: what a keyword may be made of, and no more than fits. What a printer says is shown to clients whose
/// drivers have been broken by less (CVE-2024-47175).
#[must_use]
pub fn is_keyword(text: &str) -> bool {
    (1..=super::limits::KEYWORD_MAX_BYTES).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

/// What a client chose to print on. Each part is one that the queue offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    pub size: MediaSize,
    pub media_type: Option<Str>,
    pub source: Option<Str>,
    /// Asked for with all four margins zero.
    pub borderless: bool,
}

/// Margins of ordinary paper, hundredths of a millimetre: a quarter inch, what laser printers cannot reach.
pub const MARGIN: i32 = 635;

impl Media {
    /// `media-col`, complete enough for CUPS and for the printer behind.
    #[must_use]
    pub fn to_collection(&self) -> Value {
        let margin = if self.borderless { 0 } else { MARGIN };
        let mut members = vec![Attribute::new("media-size", self.size.to_collection())];
        members.push(Attribute::new("media-size-name", Value::Keyword(self.size.name.clone())));
        for side in ["media-bottom-margin", "media-left-margin", "media-right-margin", "media-top-margin"] {
            members.push(Attribute::new(side, Value::Integer(margin)));
        }
        if let Some(source) = &self.source {
            members.push(Attribute::new("media-source", Value::Keyword(source.clone())));
        }
        if let Some(media_type) = &self.media_type {
            members.push(Attribute::new("media-type", Value::Keyword(media_type.clone())));
        }
        Value::Collection(Collection(members))
    }
}
