//! See Cargo.toml.

#[path = "../../../agent/agentd/src/site_file/mod.rs"]
pub mod site_file;
