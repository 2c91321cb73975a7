//! The Wi-Fi engine against simulated access points, in virtual time. The TLS of a login is played by a script (what a worker
//! would say), so that a seed gives the same run again; the real thing is shown end to end with eapol_test.

mod abuse;
mod accounting;
mod bounds;
mod certificate;
mod device_storm;
mod devices;
mod disconnect;
mod login;
mod radsec;
mod resumption;
mod roaming;
mod simulation;
mod terms;
mod unfollowed;
mod world;
