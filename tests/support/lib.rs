//! Simulated peers and builders that the tests and the demo share. They speak over real sockets; the product knows nothing
//! of them.

pub mod access_point;
pub mod daemon;
pub mod documents;
pub mod eap_peer;
pub mod eap_server;
pub mod mqtt_client;
pub mod printer;
pub mod reader;
pub mod relay;
