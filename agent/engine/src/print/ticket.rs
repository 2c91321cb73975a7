//! A ticket as it is kept with a job, so that a restart prints what was asked for. Only the engine reads it again.

use proto::ipp::{Collation, ColorMode, HoldUntil, Media, MediaSize, PageRange, Scaling, Sides, Ticket};
use serde::{Deserialize, Serialize};

/// Keywords stand as IPP spells them.
#[derive(Serialize, Deserialize)]
struct Saved {
    copies: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    page_ranges: Vec<(u32, u32)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sides: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    color_mode: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    media: Option<SavedMedia>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    quality: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    orientation: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resolution_dpi: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scaling: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    collation: Option<String>,
    #[serde(default)]
    held: bool,
}

#[derive(Serialize, Deserialize)]
struct SavedMedia {
    size: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(default)]
    borderless: bool,
}

pub(super) fn save(ticket: &Ticket) -> String {
    let saved = Saved {
        copies: ticket.copies,
        page_ranges: ticket.page_ranges.iter().map(|range| (range.first, range.last)).collect(),
        sides: ticket.sides.map(|sides| sides.as_str().to_owned()),
        color_mode: ticket.color_mode.map(|mode| mode.as_str().to_owned()),
        media: ticket.media.as_ref().map(|media| SavedMedia {
            size: media.size.name.to_string(),
            media_type: media.media_type.as_ref().map(ToString::to_string),
            source: media.source.as_ref().map(ToString::to_string),
            borderless: media.borderless,
        }),
        quality: ticket.quality,
        orientation: ticket.orientation,
        resolution_dpi: ticket.resolution_dpi,
        scaling: ticket.scaling.map(|scaling| scaling.as_str().to_owned()),
        collation: ticket.collation.map(|collation| collation.as_str().to_owned()),
        held: ticket.hold_until == HoldUntil::Indefinite,
    };
    serde_json::to_string(&saved).expect("numbers and strings always serialise")
}

/// None when it was not written by [`save`]: the job must not be printed then, since nobody knows how many copies.
pub(super) fn load(text: &str) -> Option<Ticket> {
    let saved: Saved = serde_json::from_str(text).ok()?;
    let media = match saved.media {
        None => None,
        Some(media) => Some(Media {
            size: MediaSize::parse(&media.size)?,
            media_type: media.media_type.map(Into::into),
            source: media.source.map(Into::into),
            borderless: media.borderless,
        }),
    };
    Some(Ticket {
        job_name: None,
        copies: saved.copies,
        sides: saved.sides.as_deref().and_then(Sides::from_keyword),
        color_mode: saved.color_mode.as_deref().and_then(ColorMode::from_keyword),
        media,
        page_ranges: saved.page_ranges.into_iter().map(|(first, last)| PageRange { first, last }).collect(),
        hold_until: if saved.held { HoldUntil::Indefinite } else { HoldUntil::NoHold },
        quality: saved.quality,
        orientation: saved.orientation,
        resolution_dpi: saved.resolution_dpi,
        scaling: saved.scaling.as_deref().and_then(Scaling::from_keyword),
        collation: saved.collation.as_deref().and_then(Collation::from_keyword),
        ..Ticket::default()
    })
}
