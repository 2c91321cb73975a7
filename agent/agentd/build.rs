//! Fixes the build date, below which the clock is never believed. SOURCE_DATE_EPOCH makes it repeatable.

fn main() {
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    println!("cargo::rerun-if-changed=build.rs");
    // The UI is embedded: files that come or go there are a new binary. Git keeps the folder, even while nothing is built.
    println!("cargo::rerun-if-changed=../../web-ui/dist");
    let seconds =
        std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|text| text.parse::<u64>().ok()).unwrap_or_else(|| {
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs())
        });
    // The day is enough, and keeps the value the same for all builds of one day.
    println!("cargo::rustc-env=DOORPOST_BUILT_AT={}", seconds / 86_400 * 86_400 * 1_000);
}
