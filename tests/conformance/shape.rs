//! Owns what the tree promises about its own shape: sizes of files and functions, names that say nothing, paths that hold on
//! one machine only, folders that the README names. Reads the files as text; knows nothing of what they do.

use std::path::{Path, PathBuf};

/// A file of product code; past this its state machine wants cutting. The aim is 250.
const FILE_LINES_MAX: usize = 1000;
/// A function of product code. The aim is 30.
const FUNCTION_LINES_MAX: usize = 80;
/// Functions that may be longer, each with its reason. At most five may ever stand here.
const LONG_FUNCTIONS: &[(&str, &str)] = &[
    ("agent/policy/src/reason.rs::code", "a table: one line a reason"),
    ("agent/policy/src/reason.rs::sentence", "a table: one sentence a reason, told apart without a wildcard"),
];
const LONG_FUNCTIONS_MAX: usize = 5;

/// A name that says nothing about what is inside.
const EMPTY_NAMES: [&str; 8] = ["common", "util", "utils", "types", "helper", "helpers", "manager", "misc"];

/// Folders that are made by tools, not written.
const MADE: [&str; 11] = [
    ".git",
    "target",
    "node_modules",
    "dist",
    ".cache",
    "artifacts",
    "coverage",
    "generated",
    "test-results",
    ".svelte-kit",
    "corpus",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the workspace is there")
}

/// Every written file below `folder`, relative to the root.
fn files(folder: &str) -> Vec<PathBuf> {
    let root = root();
    let mut found = Vec::new();
    let mut waiting = vec![root.join(folder)];
    while let Some(folder) = waiting.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.expect("a folder can be listed").path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_symlink() || MADE.contains(&name) {
                continue;
            }
            if path.is_dir() {
                waiting.push(path);
            } else {
                found.push(path.strip_prefix(&root).expect("below the root").to_owned());
            }
        }
    }
    found.sort();
    found
}

fn read(path: &Path) -> String {
    std::fs::read(root().join(path)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    path.extension().and_then(|extension| extension.to_str()).is_some_and(|extension| extensions.contains(&extension))
}

/// Product code in Rust: what stands before the unit tests of a file, and no file that is tests alone.
fn product(path: &Path) -> Option<String> {
    let is_tests = path.file_stem().is_some_and(|stem| stem == "tests")
        || path.components().any(|part| part.as_os_str() == "tests");
    if !has_extension(path, &["rs"]) || is_tests {
        return None;
    }
    let text = read(path);
    let before_tests = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default();
    // `#[cfg(test)] mod tests;` names a sibling file: what follows it is product code again.
    Some(if text.contains("\n#[cfg(test)]\nmod tests;\n") { text } else { before_tests.to_owned() })
}

/// (line, name, length) of each function. Leans on rustfmt: a body ends at the first `}` as far in as its `fn`.
fn functions(code: &str) -> Vec<(usize, String, usize)> {
    let lines: Vec<&str> = code.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let Some(name) = function_name(line.trim_start()) else { continue };
        let body = lines[start..].iter().position(|line| line.ends_with(['{', ';', '}']));
        let Some(opens) = body.map(|offset| start + offset).filter(|&at| lines[at].ends_with('{')) else { continue };
        let closes = lines[opens..]
            .iter()
            .position(|line| line.trim_start().starts_with('}') && line.len() - line.trim_start().len() == indent);
        if let Some(offset) = closes {
            found.push((start + 1, name.to_owned(), opens + offset - start + 1));
        }
    }
    found
}

fn function_name(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("fn ")?;
    let only_qualifiers = before.split_whitespace().all(|word| {
        matches!(word, "pub" | "const" | "async" | "unsafe" | "extern" | "\"C\"" | "default")
            || word.starts_with("pub(")
    });
    let name = after.split(['(', '<']).next()?;
    (only_qualifiers && (before.is_empty() || before.ends_with(' ')) && !name.is_empty()).then_some(name)
}

#[test]
fn files_stay_readable() {
    let mut complaints = Vec::new();
    for path in files("agent").into_iter().chain(files("tests/support")) {
        if let Some(lines) = product(&path).map(|code| code.lines().count()).filter(|&lines| lines > FILE_LINES_MAX) {
            complaints.push(format!("{}: {lines} lines of product code", path.display()));
        }
    }
    for path in files("web-ui/src").into_iter().filter(|path| has_extension(path, &["ts", "svelte", "css"])) {
        let lines = read(&path).lines().count();
        if lines > FILE_LINES_MAX {
            complaints.push(format!("{}: {lines} lines", path.display()));
        }
    }
    assert!(complaints.is_empty(), "more than {FILE_LINES_MAX} lines:\n  {}", complaints.join("\n  "));
}

#[test]
fn functions_stay_readable() {
    assert!(LONG_FUNCTIONS.len() <= LONG_FUNCTIONS_MAX, "at most five listed exceptions");
    let (mut complaints, mut excused) = (Vec::new(), Vec::new());
    for path in files("agent") {
        let Some(code) = product(&path) else { continue };
        for (line, name, length) in functions(&code) {
            let key = format!("{}::{name}", path.display());
            if length <= FUNCTION_LINES_MAX {
                continue;
            }
            if LONG_FUNCTIONS.iter().any(|(listed, reason)| *listed == key && !reason.is_empty()) {
                excused.push(key);
            } else {
                complaints.push(format!("{}:{line}: {name} is {length} lines", path.display()));
            }
        }
    }
    assert!(complaints.is_empty(), "more than {FUNCTION_LINES_MAX} lines:\n  {}", complaints.join("\n  "));
    for (listed, _) in LONG_FUNCTIONS {
        assert!(excused.iter().any(|key| key == listed), "{listed} needs no exception any more");
    }
}

#[test]
fn function_lengths_are_counted_right() {
    let code = "pub(crate) async fn long(\n    a: u8,\n) -> u8 {\n    a\n}\n\nfn short() {}\n    fn inner<T>(x: T)\n    where\n        T: Copy,\n    {\n        x;\n    }\ntrait T {\n    fn declared(&self);\n}\nlet define = 1;\n";
    let found: Vec<(String, usize)> = functions(code).into_iter().map(|(_, name, length)| (name, length)).collect();
    assert_eq!(found, [("long".to_owned(), 5), ("inner".to_owned(), 6)]);
}

#[test]
fn names_say_what_is_inside() {
    let mut complaints = Vec::new();
    for path in files("") {
        for part in &path {
            let stem = Path::new(part).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_lowercase();
            if EMPTY_NAMES.contains(&stem.as_str()) {
                complaints.push(path.display().to_string());
            }
        }
    }
    assert!(complaints.is_empty(), "a file needs a noun:\n  {}", complaints.join("\n  "));
}

#[test]
fn nothing_leans_on_one_machine() {
    // In two halves, so that this file does not find itself.
    let foreign = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/fa", "rm/"), concat!("/ho", "me/")];
    let mut complaints = Vec::new();
    for path in files("") {
        if has_extension(&path, &["png", "pdf", "ico", "woff2", "wasm"]) || path.ends_with("LICENSE") {
            continue;
        }
        for (number, line) in read(&path).lines().enumerate() {
            // `./home/door` is a folder of ours; only a path that starts there is one of a machine.
            let starts =
                |at: usize| !line[..at].ends_with(|before: char| before.is_alphanumeric() || "._-*".contains(before));
            if foreign.iter().any(|place| line.find(place).is_some_and(starts)) {
                complaints.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
            }
        }
    }
    assert!(complaints.is_empty(), "paths of one machine:\n  {}", complaints.join("\n  "));
}

#[test]
fn pure_crates_are_held_to_purity_by_clippy() {
    for name in ["policy", "proto", "engine"] {
        let own = read(Path::new(&format!("agent/{name}/clippy.toml")));
        for method in ["Instant::now", "SystemTime::now", "thread::sleep", "env::var"] {
            assert!(own.contains(method), "agent/{name}/clippy.toml does not forbid {method}");
        }
    }
}

#[test]
fn readme_names_folders_that_are_there() {
    let readme = read(Path::new("README.md"));
    let mut rows = 0;
    for line in readme.lines() {
        let Some(name) = line.strip_prefix("| `").and_then(|rest| rest.split('`').next()) else { continue };
        if name.ends_with('/') || name.starts_with('.') {
            assert!(root().join(name).exists(), "README.md names {name}, which is not there");
            rows += 1;
        }
    }
    assert!(rows >= 8, "the folder table of README.md has gone");
    for command in ["make run", "make test"] {
        assert!(readme.contains(command), "README.md no longer says `{command}`");
    }
    for file in ["ARCHITECTURE.md", "CHANGELOG.md", "SECURITY.md", "LICENSE", "deny.toml", "rustfmt.toml", ".ci/run"] {
        assert!(root().join(file).exists(), "{file} is missing");
    }
}

#[test]
fn documents_name_files_that_are_there() {
    const PLACES: [&str; 8] = ["agent/", "tests/", "web-ui/", "configs/", "systemd/", "image-build/", "docs/", ".ci/"];
    let mut complaints = Vec::new();
    for path in files("").into_iter().filter(|path| has_extension(path, &["md"])) {
        let text = read(&path);
        // Every second piece stands between two backticks.
        for name in text.split('`').skip(1).step_by(2) {
            let is_pattern = name.contains(['*', ' ', '<', '$']) || name.contains("NAME") || name.contains("/dist");
            let is_place = PLACES.iter().any(|place| name.starts_with(place));
            if is_place && !is_pattern && !root().join(name).exists() {
                complaints.push(format!("{}: {name}", path.display()));
            }
        }
    }
    assert!(complaints.is_empty(), "named, but not there:\n  {}", complaints.join("\n  "));
}
