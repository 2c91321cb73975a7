//! MQTT: the device listeners and the DoorEngine's task.
// The handle's methods below are what api/ compiles against (see also HANDLES.md beside the brief): keep them.

use crate::shell::Shell;
use policy::{Actor, Reason};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::net::TcpListener;
use utoipa::ToSchema;
use values::{DeviceName, DoorName, MemberId};

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DoorView {
    pub name: String,
    pub title: String,
    pub relay: RelayView,
    pub readers: Vec<ReaderView>,
    pub last: Option<LastOpening>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RelayView {
    pub device: String,
    pub profile: String,
    pub connected: bool,
    pub since: Option<i64>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReaderView {
    pub device: String,
    pub connected: bool,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LastOpening {
    pub at: i64,
    pub outcome: String,
    pub sentence: String,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Opened {
    pub intent: Option<String>,
    /// `opened`, `refused`, `failed` or `unknown`.
    pub outcome: String,
    pub code: String,
    pub sentence: String,
}

#[derive(Clone)]
pub struct DoorHandle {}

impl DoorHandle {
    pub async fn doors(&self) -> Vec<DoorView> {
        Vec::new()
    }
    pub async fn open(&self, _door: DoorName, _actor: Actor, _member: Option<MemberId>) -> Opened {
        Opened { intent: None, outcome: "failed".into(), code: "not-running".into(), sentence: "The door listener is not running.".into() }
    }
    pub async fn connected(&self) -> BTreeMap<DeviceName, i64> {
        BTreeMap::new()
    }
    pub async fn would_open(&self, _member: MemberId, _door: DoorName) -> Result<(), Reason> {
        Ok(())
    }
    pub async fn counters(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }
}

pub async fn spawn(_shell: Shell, _tls: Arc<rustls::ServerConfig>, _tls_listener: TcpListener, _plain: Option<TcpListener>) -> std::io::Result<DoorHandle> {
    Ok(DoorHandle {})
}
