//! The binary `doorpost`: the daemon and its command line. See cli/mod.rs for the commands and run.rs for the daemon.

mod api;
mod cli;
mod http;
mod net;
mod pki;
mod probe;
mod recorder;
mod registrar;
mod run;
mod secrets;
mod shell;
mod site_file;
mod web;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
