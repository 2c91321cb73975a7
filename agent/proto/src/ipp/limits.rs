//! Every bound on what a peer may send, in one place.

/// The attribute section of one message. CUPS allows 1 MiB; the largest request seen from a real client (a job ticket with
/// overrides for every page) stays under 64 KiB, and a printer's whole answer with its media database under 128 KiB.
pub const HEAD_MAX_BYTES: usize = 256 * 1024;
/// Named attributes in one message. The fullest printers answer with about 400.
pub const ATTRIBUTES_MAX: usize = 1_000;
/// Values of one attribute. `media-supported` of large devices has about 300; `overrides` one per page.
pub const SET_MAX: usize = 1_000;
/// Values in one message, members of collections included: bounds memory where single octets could become structures.
pub const VALUES_MAX: usize = 16_384;
/// Collections within collections. `media-col-database` needs 3 with `media-source-properties`.
pub const DEPTH_MAX: usize = 8;
/// Groups in one message: Get-Jobs answers one for each job.
pub const GROUPS_MAX: usize = 1_000;

/// RFC 8011 5.1: octets of a value, by syntax. A keyword and so an attribute name has at most 255.
pub const NAME_MAX_BYTES: usize = 255;
pub const KEYWORD_MAX_BYTES: usize = 255;
pub const TEXT_MAX_BYTES: usize = 1_023;
pub const URI_MAX_BYTES: usize = 1_023;
pub const URI_SCHEME_MAX_BYTES: usize = 63;
pub const CHARSET_MAX_BYTES: usize = 63;
pub const LANGUAGE_MAX_BYTES: usize = 63;
pub const MEDIA_TYPE_MAX_BYTES: usize = 255;
pub const OCTET_STRING_MAX_BYTES: usize = 1_023;
/// Values of a syntax this decoder has no word for: RFC 8010 3.9 lets any length up to 32,767; none known needs more than
/// an octetString.
pub const OTHER_MAX_BYTES: usize = OCTET_STRING_MAX_BYTES;
