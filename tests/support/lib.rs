//! Simulated peers and builders that the tests and the demo share. They speak over real sockets; the product knows nothing
//! of them.

pub mod access_point;
pub mod curl;
pub mod daemon;
pub mod documents;
pub mod eap_peer;
pub mod eap_server;
pub mod eapol_test;
pub mod handshake;
pub mod mqtt_client;
pub mod namespace;
pub mod printer;
pub mod program;
pub mod radclient;
pub mod radsec_client;
pub mod radsec_proxy;
pub mod reader;
pub mod relay;
pub mod wired;
