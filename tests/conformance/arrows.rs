//! Owns the promise of agent/ARROWS.txt: which crate may know which, why each outside part is there, and what may never be
//! found under the pure crates. It compares that page with what cargo says, and fails on any difference in either direction.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// One paragraph of ARROWS.txt.
#[derive(Default)]
struct Crate {
    arrows: BTreeSet<String>,
    outside: BTreeSet<String>,
    pure: bool,
}

#[derive(Default)]
struct Page {
    crates: BTreeMap<String, Crate>,
    forbidden: BTreeSet<String>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().expect("cargo runs");
    assert!(output.status.success(), "cargo {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("cargo prints UTF-8")
}

fn page() -> Page {
    let text = std::fs::read_to_string(root().join("agent/ARROWS.txt")).expect("agent/ARROWS.txt is there");
    let mut page = Page::default();
    let mut current = String::new();
    for (number, line) in text.lines().enumerate() {
        let at = number + 1;
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(names) = line.strip_prefix("forbidden under pure crates:") {
            page.forbidden = words(names);
        } else if let Some((name, arrows)) = line.split_once("->").filter(|_| !line.starts_with(' ')) {
            current = name.trim().to_owned();
            let fresh = Crate { arrows: words(arrows), ..Crate::default() };
            assert!(page.crates.insert(current.clone(), fresh).is_none(), "line {at}: {current} stands twice");
        } else {
            let paragraph = page.crates.get_mut(&current).unwrap_or_else(|| panic!("line {at}: no crate above it"));
            match line.trim().split_once(' ') {
                None if line.trim() == "pure" => paragraph.pure = true,
                Some((name, reason)) if !reason.trim().is_empty() => {
                    assert!(paragraph.outside.insert(name.to_owned()), "line {at}: {name} stands twice");
                }
                _ => panic!("line {at}: `{}` gives no reason", line.trim()),
            }
        }
    }
    page
}

fn words(text: &str) -> BTreeSet<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// What the manifests say: for each crate of the workspace its inner and its outside dependencies.
fn manifests() -> BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)> {
    let text = cargo(&["metadata", "--format-version", "1", "--no-deps", "--offline"]);
    let metadata: serde_json::Value = serde_json::from_str(&text).expect("cargo metadata is JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let members: BTreeSet<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    let mut found = BTreeMap::new();
    for package in packages {
        let (mut inner, mut outside) = (BTreeSet::new(), BTreeSet::new());
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let name = dependency["name"].as_str().expect("a name").to_owned();
            if dependency["kind"] == "dev" {
                continue;
            }
            if members.contains(name.as_str()) {
                inner.insert(name)
            } else {
                outside.insert(name)
            };
        }
        found.insert(package["name"].as_str().expect("a name").to_owned(), (inner, outside));
    }
    found
}

#[test]
fn manifests_and_page_say_the_same() {
    let page = page();
    let mut complaints = Vec::new();
    let found = manifests();
    for name in page.crates.keys().filter(|name| !found.contains_key(*name)) {
        complaints.push(format!("{name} stands in ARROWS.txt but is no crate of the workspace"));
    }
    for (name, (inner, outside)) in &found {
        let Some(allowed) = page.crates.get(name) else {
            complaints.push(format!("{name} does not stand in ARROWS.txt: a new crate needs a new arrow"));
            continue;
        };
        for extra in inner.difference(&allowed.arrows) {
            complaints.push(format!("{name} -> {extra}: this arrow is not allowed"));
        }
        // An arrow that is allowed and not used is no fault of `tests`, which may use all.
        for unused in allowed.arrows.difference(inner).filter(|_| name != "tests") {
            complaints.push(format!("{name} -> {unused}: allowed, but not used; take it off the page"));
        }
        if name == "tests" {
            continue;
        }
        for extra in outside.difference(&allowed.outside) {
            complaints.push(format!("{name} uses {extra}: write down what for"));
        }
        for unused in allowed.outside.difference(outside) {
            complaints.push(format!("{name} does not use {unused}: take it off the page"));
        }
    }
    assert!(complaints.is_empty(), "agent/ARROWS.txt and the manifests differ:\n  {}", complaints.join("\n  "));
}

#[test]
fn arrows_have_no_circle_and_point_from_few_words_to_the_shell() {
    let page = page();
    // Each crate may use only crates that stand above it on the page of ARROWS.txt read as an order of layers.
    let order = ["values", "policy", "proto", "engine", "store", "host", "agentd", "tests"];
    assert_eq!(page.crates.keys().map(String::as_str).collect::<BTreeSet<_>>(), BTreeSet::from(order));
    for (place, name) in order.iter().enumerate() {
        for arrow in &page.crates[*name].arrows {
            assert!(order[..place].contains(&arrow.as_str()), "{name} -> {arrow} points upwards");
        }
    }
    assert!(
        page.crates["policy"].arrows.is_disjoint(&words("proto store host")),
        "decisions know no protocol and no storage"
    );
    assert!(
        page.crates["proto"].arrows.is_disjoint(&words("policy store host")),
        "protocols know no decision and no storage"
    );
    assert!(page.crates["store"].arrows.is_disjoint(&words("proto engine host")), "storage knows no protocol");
}

#[test]
fn nothing_under_the_pure_crates_reaches_the_world() {
    let page = page();
    let pure: Vec<&String> = page.crates.iter().filter(|(_, paragraph)| paragraph.pure).map(|(name, _)| name).collect();
    assert_eq!(pure, ["engine", "policy", "proto"]);
    for needed in ["tokio", "mio", "reqwest"] {
        assert!(page.forbidden.contains(needed), "ARROWS.txt no longer forbids {needed}");
    }
    for name in pure {
        // `cargo tree -p` resolves the features of this crate alone; `cargo metadata` would mix in those that tests ask for.
        let tree = cargo(&["tree", "-p", name, "-e", "normal,build", "--prefix", "none", "-f", "{p}", "--offline"]);
        let under: BTreeSet<&str> = tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
        let bad: Vec<&str> = under.into_iter().filter(|found| page.forbidden.contains(*found)).collect();
        assert!(bad.is_empty(), "{name} reaches {bad:?}; `cargo tree -p {name} -i {}` says how", bad[0]);
    }
}
