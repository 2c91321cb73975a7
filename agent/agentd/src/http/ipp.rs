//! IPP: one port for plain and TLS, the spool, and the PrintEngine's task.
// The handle's methods below are what api/ compiles against (see also HANDLES.md beside the brief): keep them.

use crate::shell::Shell;
use policy::Reason;
use serde::Serialize;
use std::sync::Arc;
use tokio::net::TcpListener;
use utoipa::ToSchema;
use values::{JobId, MemberId};

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct JobView {
    pub id: String,
    pub printer: String,
    pub member_id: Option<String>,
    pub member_name: Option<String>,
    pub document: Option<String>,
    /// `pending`, `held`, `printing`, `completed`, `canceled`, `aborted` or `needs-checking`.
    pub state: String,
    pub reasons: Vec<String>,
    pub sentence: Option<String>,
    pub pages: Option<u32>,
    pub pages_settled: Option<u32>,
    pub counted_by: Option<String>,
    pub charged_minor: Option<i64>,
    pub submitted_at: i64,
}

#[derive(Clone)]
pub struct PrintHandle {}

impl PrintHandle {
    pub async fn jobs(&self, _limit: usize) -> Vec<JobView> {
        Vec::new()
    }
    pub async fn release(&self, _job: JobId) -> Result<JobView, Reason> {
        Err(Reason::UnknownJob)
    }
    pub async fn cancel(&self, _job: JobId) -> Result<JobView, Reason> {
        Err(Reason::UnknownJob)
    }
    pub async fn settle(&self, _job: JobId, _pages: u32) -> Result<JobView, Reason> {
        Err(Reason::UnknownJob)
    }
    pub async fn would_print(&self, _member: MemberId) -> Result<(), Reason> {
        Ok(())
    }
    pub async fn counters(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }
}

pub async fn spawn(_shell: Shell, _listener: TcpListener, _tls: Arc<rustls::ServerConfig>) -> std::io::Result<PrintHandle> {
    Ok(PrintHandle {})
}
