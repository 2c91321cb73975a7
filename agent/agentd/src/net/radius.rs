//! RADIUS: the authentication and accounting sockets, the TLS workers and the WifiEngine's task.
// The handle's methods below are what api/ compiles against (see also HANDLES.md beside the brief): keep them.

use crate::shell::Shell;
use policy::Reason;
use proto::eap::EapSettings;
use serde::Serialize;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::net::UdpSocket;
use utoipa::ToSchema;
use values::{MemberId, SessionId};

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SessionView {
    pub id: String,
    pub member_id: Option<String>,
    pub member_name: Option<String>,
    pub username: String,
    pub mac: String,
    pub access_point: String,
    pub network: Option<String>,
    pub vlan: Option<u16>,
    pub ip: Option<String>,
    pub started_at: i64,
    pub seen_at: i64,
    pub rx_bytes: u64,
    pub tx_bytes: u64,
    pub state: String,
}

#[derive(Clone)]
pub struct WifiHandle {}

impl WifiHandle {
    pub async fn online(&self) -> usize {
        0
    }
    pub async fn online_of(&self, _member: MemberId) -> usize {
        0
    }
    pub async fn online_by_member(&self) -> HashMap<MemberId, usize> {
        HashMap::new()
    }
    pub async fn sessions(&self) -> Vec<SessionView> {
        Vec::new()
    }
    pub async fn kick(&self, _session: SessionId) -> Result<(), Reason> {
        Ok(())
    }
    pub async fn would_admit(&self, _member: MemberId) -> Result<(), Reason> {
        Ok(())
    }
    pub async fn counters(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }
}

pub async fn spawn(_shell: Shell, _eap: Arc<EapSettings>, _auth: UdpSocket, _acct: UdpSocket) -> std::io::Result<WifiHandle> {
    Ok(WifiHandle {})
}
