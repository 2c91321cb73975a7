//! Runs every fuzz target over its committed corpus, plainly: no libFuzzer, no sanitizer. A crash that fuzzing found is committed
//! to the corpus and stays a test for ever.

use std::path::{Path, PathBuf};

#[path = "src/lib.rs"]
mod fuzz;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = std::fs::read_dir(folder().join("corpus").join(name))
        .unwrap_or_else(|_| panic!("tests/fuzz/corpus/{name} is missing"));
    let paths = entries.map(|entry| entry.expect("a folder can be listed").path());
    paths.map(|path| (path.clone(), std::fs::read(path).expect("a seed can be read"))).collect()
}

#[test]
fn every_seed_passes() {
    for (name, run) in fuzz::TARGETS {
        let seeds = corpus(name);
        assert!(!seeds.is_empty(), "{name} has no seeds");
        for (path, bytes) in seeds {
            let outcome = std::panic::catch_unwind(|| run(&bytes));
            assert!(outcome.is_ok(), "{name} panics on {}", path.display());
        }
    }
}

/// What libFuzzer does first, cheaply and the same every time: every prefix of a seed and every seed with one byte changed.
#[test]
fn every_seed_passes_cut_short_and_bent() {
    /// Seeds longer than this are cut and bent at their beginning only: heads and lengths stand there.
    const BENT_BYTES_MAX: usize = 600;
    for (name, run) in fuzz::TARGETS {
        for (path, bytes) in corpus(name) {
            for at in 0..bytes.len().min(BENT_BYTES_MAX) {
                let mut bent = bytes.clone();
                for value in [0, 0xff, bytes[at].wrapping_add(1), bytes[at] ^ 0x80] {
                    bent[at] = value;
                    let outcome = std::panic::catch_unwind(|| run(&bent));
                    assert!(outcome.is_ok(), "{name} panics on {} with byte {at} set to {value}", path.display());
                }
                let outcome = std::panic::catch_unwind(|| run(&bytes[..at]));
                assert!(outcome.is_ok(), "{name} panics on the first {at} bytes of {}", path.display());
            }
        }
    }
}

/// Seeds that are a whole login must stay one, or they lead the fuzzer nowhere.
#[test]
fn the_seeds_of_inner_methods_end_as_their_names_say() {
    use fuzz::eap_inner::{End, follow};
    use proto::eap::MethodKind::{Peap, Ttls};
    let named = |name: &str| {
        let seed = corpus("eap_inner").into_iter().find(|(path, _)| path.file_name().is_some_and(|file| file == name));
        seed.unwrap_or_else(|| panic!("tests/fuzz/corpus/eap_inner/{name} is missing")).1
    };
    for (kind, name) in [(Ttls, "pap"), (Ttls, "mschapv2"), (Ttls, "eap_mschapv2"), (Peap, "peap")] {
        assert_eq!(follow(kind, &named(name)[1..], true), End::Accepted, "{name}");
        assert_eq!(follow(kind, &named(name)[1..], false), End::Refused, "{name}, denied");
    }
    for (kind, name) in
        [(Ttls, "pap_wrong"), (Ttls, "mschapv2_wrong"), (Ttls, "eap_mschapv2_wrong"), (Peap, "peap_wrong")]
    {
        assert_eq!(follow(kind, &named(name)[1..], true), End::Refused, "{name}");
    }
}

#[test]
fn every_target_is_wired() {
    let manifest = std::fs::read_to_string(folder().join("Cargo.toml")).expect("the manifest of the fuzz workspace");
    let modules = std::fs::read_dir(folder().join("src")).expect("tests/fuzz/src");
    for entry in modules {
        let path = entry.expect("a folder can be listed").path();
        let name = path.file_stem().and_then(|stem| stem.to_str()).expect("a name");
        if name == "lib" {
            continue;
        }
        assert!(
            fuzz::TARGETS.iter().any(|(listed, _)| *listed == name),
            "{name} is not listed in tests/fuzz/src/lib.rs"
        );
        assert!(
            folder().join(format!("fuzz_targets/{name}.rs")).exists(),
            "{name} has no binary: run tests/fuzz/wire.sh"
        );
        assert!(
            manifest.contains(&format!("name = \"{name}\"")),
            "{name} is not in tests/fuzz/Cargo.toml: run tests/fuzz/wire.sh"
        );
    }
}
