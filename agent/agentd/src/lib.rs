//! The daemon and its command line, as a library so that its decoders can be fuzzed and its parts tested: the binary
//! `doorpost` (main.rs) only calls [`cli::main`]. See cli/mod.rs for the commands and run.rs for the daemon.

mod api;
pub mod cli;
mod count;
mod http;
mod listener;
mod net;
mod onboarding;
mod passphrases;
mod pki;
mod probe;
mod profile;
mod recorder;
mod registrar;
mod retention;
mod run;
mod secrets;
mod shell;
pub mod site_file;
mod spool;
mod upstream;
mod web;
