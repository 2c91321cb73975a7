//! The command line (DESIGN: contract of the command line). Commands that read or change a running box are requests to its
//! unix socket; the few that do not need the daemon are done here.
//!
//! Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 69 the box is not running, 78 bad configuration.

mod args;
mod call;
mod onboarding;
mod print_out;
mod requests;

use args::{Args, Command};
use clap::{CommandFactory, Parser};
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// sysexits.h.
const EXIT_UNAVAILABLE: u8 = 69;
const EXIT_CONFIG: u8 = 78;
const DATA_DEFAULT: &str = "/var/lib/doorpost";

/// How a command failed.
pub enum Failure {
    /// A sentence for standard error; exit 1. With `--json` the problem document goes to standard output too.
    Refused {
        sentence: String,
        problem: Option<serde_json::Value>,
    },
    NotRunning {
        sentence: String,
    },
    Configuration {
        sentence: String,
    },
}

impl Failure {
    fn refused(sentence: impl Into<String>) -> Self {
        Self::Refused { sentence: sentence.into(), problem: None }
    }
}

/// Parses the arguments, runs the command, and turns its outcome into an exit code.
pub fn main() -> ExitCode {
    let args = Args::parse();
    if let Command::Count = args.command {
        return crate::count::child();
    }
    let data = args.data.clone().unwrap_or_else(|| PathBuf::from(DATA_DEFAULT));
    match execute(args.command, data, args.json) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Refused { sentence, problem }) => {
            if let (true, Some(problem)) = (args.json, problem) {
                say(&problem.to_string());
            }
            complain(&sentence);
            ExitCode::FAILURE
        }
        Err(Failure::NotRunning { sentence }) => {
            complain(&sentence);
            ExitCode::from(EXIT_UNAVAILABLE)
        }
        Err(Failure::Configuration { sentence }) => {
            complain(&sentence);
            ExitCode::from(EXIT_CONFIG)
        }
    }
}

fn execute(command: Command, data: PathBuf, json: bool) -> Result<(), Failure> {
    match command {
        Command::Run { site } => daemon(site, data),
        Command::Check { file } => {
            let site = crate::site_file::read(&file)
                .map_err(|faults| Failure::Configuration { sentence: faults.to_string() })?;
            let model = &site.model;
            if json {
                say(&serde_json::json!({"ok": true, "plans": model.plans.len(), "doors": model.doors.len()})
                    .to_string());
            } else {
                say(&format!(
                    "{} is a good site file: {} plans, {} doors.",
                    file.display(),
                    model.plans.len(),
                    model.doors.len()
                ));
            }
            Ok(())
        }
        Command::Verify => verify(&data, json),
        Command::Completions { shell } => {
            let mut out = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "doorpost", &mut out);
            say(String::from_utf8_lossy(&out).trim_end());
            Ok(())
        }
        Command::Man => {
            let mut out = Vec::new();
            clap_mangen::Man::new(Args::command())
                .render(&mut out)
                .map_err(|error| Failure::refused(error.to_string()))?;
            say(String::from_utf8_lossy(&out).trim_end());
            Ok(())
        }
        Command::Openapi => {
            say(crate::api::openapi_json().trim_end());
            Ok(())
        }
        command => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|error| Failure::refused(format!("no event loop: {error}")))?;
            runtime.block_on(requests::perform(command, &data, json))
        }
    }
}

fn daemon(site: PathBuf, data: PathBuf) -> Result<(), Failure> {
    start_logs();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::refused(format!("no event loop: {error}")))?;
    runtime.block_on(crate::run::run(&site, &data)).map_err(|error| match error {
        crate::run::RunError::Configuration(sentence) => Failure::Configuration { sentence },
        crate::run::RunError::Failed(sentence) => Failure::Refused { sentence, problem: None },
    })
}

/// To the journal under systemd, else to standard error. `DOORPOST_LOG` is a filter such as `debug` or `info,engine=trace`.
fn start_logs() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("DOORPOST_LOG").unwrap_or_else(|_| "info".into());
    let registry = tracing_subscriber::registry().with(filter);
    if std::env::var_os("JOURNAL_STREAM").is_some()
        && let Ok(journal) = tracing_journald::layer()
    {
        registry.with(journal).init();
        return;
    }
    let ansi = std::io::stderr().is_terminal();
    registry.with(tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(ansi)).init();
}

fn verify(data: &std::path::Path, json: bool) -> Result<(), Failure> {
    let report = store::verify(data).map_err(|error| Failure::refused(error.to_string()))?;
    if json {
        let findings: Vec<String> = report.findings.iter().map(|finding| format!("{finding:?}")).collect();
        say(&serde_json::json!({
            "good": report.is_good(), "core_rows": report.core_rows, "event_rows": report.event_rows,
            "ledger_rows": report.ledger_rows, "findings": findings,
        })
        .to_string());
    } else {
        say(&report.to_string());
    }
    if report.is_good() { Ok(()) } else { Err(Failure::refused("the records do not verify")) }
}

/// A line on standard output. A reader that went away (`doorpost events | head`) ends the program quietly.
pub fn say(line: &str) {
    if writeln!(std::io::stdout(), "{line}").is_err() {
        std::process::exit(0);
    }
}

fn complain(line: &str) {
    let _ = writeln!(std::io::stderr(), "doorpost: {line}");
}
