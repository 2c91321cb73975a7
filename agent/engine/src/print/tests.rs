//! The engine in a small world: virtual time, storage that keeps what it confirmed and nothing else, a printer that does
//! as it is told or as badly as it can. [`stories`] follow one job; [`chaos`] runs seeds and counts afterwards.

mod chaos;
mod stories;
mod world;
