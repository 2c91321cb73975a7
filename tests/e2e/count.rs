//! `doorpost count`, the process that reads members' PDFs: it counts, it says why it cannot, and a document that would take
//! the box's memory takes only its own.

use serde_json::Value;
use std::process::{Command, ExitStatus};
use support::{daemon, documents, program};

fn count(document: &[u8]) -> (ExitStatus, Value) {
    let mut command = Command::new(daemon::binary());
    command.arg("count");
    let output = program::run(command, "doorpost", document);
    (output.status, serde_json::from_slice(&output.stdout).unwrap_or(Value::Null))
}

#[test]
fn a_pdf_of_20_pages_has_20() {
    let (status, answer) = count(&documents::pdf(20));
    assert!(status.success());
    assert_eq!(answer["pages"], 20);
    assert_eq!(count(&documents::pdf_on(documents::LETTER, 2_000, 10_000_000)).1["pages"], 2_000);
}

#[test]
fn what_is_no_pdf_is_unknown_and_says_so() {
    assert_eq!(count(b"").1["unknown"], "not-pdf");
    assert_eq!(count(b"\x1b%-12345X@PJL\n%PDF-1.4").1["unknown"], "not-pdf");
    assert_eq!(count(&documents::jpeg(64, 64, true)).1["unknown"], "not-pdf");
    assert_eq!(count(b"%PDF-1.4\nnothing").1["unknown"], "unreadable");
}

/// A page tree inside an object stream that unpacks to 64 times its size.
fn bomb(packed_bytes: usize) -> Vec<u8> {
    let tree = b"2 0 <</Type/Pages/Kids[]/Count 0>>";
    let mut packed = vec![u8::try_from(tree.len() - 1).expect("short")];
    packed.extend(tree);
    packed.extend([129, b' '].repeat(packed_bytes / 2)); // 128 spaces each
    packed.push(128);
    let mut file = b"%PDF-1.5\n1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n".to_vec();
    let stream = file.len();
    let length = packed.len();
    file.extend(
        format!("3 0 obj\n<</Type/ObjStm/N 1/First 4/Filter/RunLengthDecode/Length {length}>>\nstream\n").bytes(),
    );
    file.extend(packed);
    file.extend(b"\nendstream\nendobj\n");
    let table = file.len();
    file.extend(b"4 0 obj\n<</Type/XRef/Size 5/W[1 4 1]/Root 1 0 R/Length 30>>\nstream\n");
    for (kind, at, index) in [(0, 0, 0), (1, 9, 0), (2, 3, 0), (1, stream, 0), (1, table, 0)] {
        file.push(kind);
        file.extend(u32::try_from(at).expect("a short file").to_be_bytes());
        file.push(index);
    }
    file.extend(format!("\nendstream\nendobj\nstartxref\n{table}\n%%EOF\n").bytes());
    file
}

#[test]
fn a_bomb_takes_its_own_process_and_no_more() {
    assert_eq!(count(&bomb(1_000)).1["unknown"], "empty", "a small one is read to its end");
    let (status, answer) = count(&bomb(16_000_000));
    assert!(!status.success() || answer["unknown"].is_string(), "{status} {answer}");
}
