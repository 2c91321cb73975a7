//! Fixes the build date, below which the clock is never believed. SOURCE_DATE_EPOCH makes it repeatable.

fn main() {
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    println!("cargo::rerun-if-changed=build.rs");
    let seconds = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|text| text.parse::<u64>().ok()).unwrap_or_else(|| {
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs())
    });
    // The day is enough, and keeps the value the same for all builds of one day.
    println!("cargo::rustc-env=DOORPOST_BUILT_AT={}", seconds / 86_400 * 86_400 * 1_000);
}
