//! The HTTP listeners: IPP for print clients, HTTPS for the browser, the unix socket for the command line.

mod connection;
pub mod console;
pub mod ipp;
pub mod web;
