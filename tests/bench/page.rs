//! docs/benchmarks.md: the parts between the marks are written by a run, the rest by people.

use crate::site;
use std::fs;
use std::process::Command;

/// One line of a table.
#[derive(Clone)]
pub struct Row {
    pub what: String,
    pub doorpost: String,
    pub beside: String,
    pub ratio: Option<f64>,
    pub target: &'static str,
    pub holds: Option<bool>,
}

impl Row {
    /// A number that is only told.
    pub fn told(what: impl Into<String>, doorpost: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            doorpost: doorpost.into(),
            beside: String::new(),
            ratio: None,
            target: "",
            holds: None,
        }
    }

    /// A number with a promise.
    pub fn promised(what: impl Into<String>, doorpost: impl Into<String>, target: &'static str, holds: bool) -> Self {
        Self { target, holds: Some(holds), ..Self::told(what, doorpost) }
    }

    pub fn beside(mut self, beside: impl Into<String>, ratio: f64) -> Self {
        self.beside = beside.into();
        self.ratio = Some(ratio);
        self
    }

    fn line(&self) -> String {
        let ratio = self.ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
        let holds = match self.holds {
            None => "",
            Some(true) => "holds",
            Some(false) => "**misses**",
        };
        format!("| {} | {} | {} | {ratio} | {} | {holds} |\n", self.what, self.doorpost, self.beside, self.target)
    }
}

/// Writes one part of the page: a sentence on what was done, then the rows.
pub fn write(part: &str, sentence: &str, rows: &[Row]) {
    let mut text =
        format!("{sentence}\n\n| what | Doorpost | beside it | ratio | target | |\n|---|---|---|---|---|---|\n");
    rows.iter().for_each(|row| text.push_str(&row.line()));
    println!("\n{text}");
    replace(part, &text);
}

/// The machine, the day and the versions.
pub fn write_machine() {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .unwrap_or("?")
        .trim_start_matches(['\t', ':', ' ']);
    let cores = cpu.lines().filter(|line| line.starts_with("processor")).count();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory_kib: u64 = memory.split_ascii_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or(0);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let version = |package: &str| said("dpkg-query", &["-W", "-f=${Version}", package]);
    let text = format!(
        "{}: {cores} cores of {model}, {} GiB, {}, Linux {}; load before the run {}. Doorpost {}, release build. FreeRADIUS {}, CUPS {}, Mosquitto {} (Debian's packages).\n",
        said("date", &["+%F"]),
        memory_kib / 1_048_576,
        said("sh", &["-c", ". /etc/os-release; echo $PRETTY_NAME"]),
        said("uname", &["-r"]),
        load.split(' ').next().unwrap_or("?"),
        said("git", &["rev-parse", "--short", "HEAD"]),
        version("freeradius"),
        version("cups-daemon"),
        version("mosquitto"),
    );
    println!("{text}");
    replace("machine", &text);
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

fn replace(part: &str, text: &str) {
    if site::members() != site::MEMBERS {
        return;
    }
    let path = support::daemon::source().join("docs/benchmarks.md");
    let page = fs::read_to_string(&path).expect("docs/benchmarks.md");
    let (begin, end) = (format!("<!-- {part} -->\n"), format!("<!-- end of {part} -->"));
    let (before, rest) = page.split_once(&begin).unwrap_or_else(|| panic!("docs/benchmarks.md has no {begin}"));
    let (_, after) = rest.split_once(&end).unwrap_or_else(|| panic!("docs/benchmarks.md has no {end}"));
    fs::write(&path, format!("{before}{begin}{text}{end}{after}")).expect("docs/benchmarks.md can be written");
}
