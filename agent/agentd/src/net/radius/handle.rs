//! What others ask the Wi-Fi: who is here, whether a member could come, to disconnect a device, counters.

use super::mailbox::Post;
use crate::shell::Shell;
use engine::wifi::{Presence, SessionPhase};
use policy::wifi::{Admission, VlanState, WifiFacts, vlan_state, would_admit};
use policy::{Reason, Snapshot};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tokio::sync::{oneshot, watch};
use utoipa::ToSchema;
use values::{AccessPointName, MacAddress, MemberId, Now, SessionId};

/// A device on the Wi-Fi, as the API shows it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SessionView {
    pub id: String,
    pub member_id: Option<String>,
    pub member_name: Option<String>,
    pub username: String,
    /// Empty when the access point does not tell.
    pub mac: String,
    pub access_point: String,
    pub network: Option<String>,
    pub vlan: Option<u16>,
    /// The network's VLAN that the device was not put on, because its test is not passed yet.
    pub vlan_withheld: Option<u16>,
    pub ip: Option<String>,
    pub started_at: i64,
    pub seen_at: i64,
    /// From the device.
    pub rx_bytes: u64,
    /// To the device.
    pub tx_bytes: u64,
    /// `admitted`, `unreported`, `open`, `changing`, `disconnecting` or `disconnect-failed`.
    pub state: String,
}

pub(super) enum Question {
    Kick { session: SessionId, reply: oneshot::Sender<Result<(), Reason>> },
    Counters { reply: oneshot::Sender<Vec<(&'static str, u64)>> },
    Connections { reply: oneshot::Sender<BTreeMap<AccessPointName, usize>> },
}

/// What others may ask the Wi-Fi.
#[derive(Clone)]
pub struct WifiHandle {
    pub(super) shell: Shell,
    pub(super) presence: watch::Receiver<Arc<Presence>>,
    pub(super) questions: Post<Question>,
}

impl WifiHandle {
    /// Who is here, as of at most 50 ms ago.
    #[must_use]
    pub fn presence(&self) -> Arc<Presence> {
        Arc::clone(&self.presence.borrow())
    }

    /// The member's devices that count against the plan's limit.
    #[must_use]
    pub fn live_devices(&self, member: MemberId) -> Vec<MacAddress> {
        self.presence().live_devices(member)
    }

    pub async fn online(&self) -> usize {
        self.presence().sessions.iter().filter(|session| session.phase.takes_a_place()).count()
    }

    pub async fn online_of(&self, member: MemberId) -> usize {
        self.presence().sessions_of(member).filter(|session| session.phase.takes_a_place()).count()
    }

    pub async fn online_by_member(&self) -> HashMap<MemberId, usize> {
        let mut online = HashMap::new();
        for session in self.presence().sessions.iter().filter(|session| session.phase.takes_a_place()) {
            if let Some(member) = session.row.member {
                *online.entry(member).or_insert(0) += 1;
            }
        }
        online
    }

    pub async fn sessions(&self) -> Vec<SessionView> {
        let (snapshot, now) = (self.shell.registrar.snapshot(), self.shell.clock.now());
        self.presence().sessions.iter().map(|session| view(&snapshot, &session.row, session.phase, now)).collect()
    }

    /// Asks the access point to disconnect a device.
    ///
    /// # Errors
    /// There is no such session.
    pub async fn kick(&self, session: SessionId) -> Result<(), Reason> {
        let (reply, answer) = oneshot::channel();
        let asked = self.questions.send(Question::Kick { session, reply }).await;
        match (asked, answer.await) {
            (Ok(()), Ok(result)) => result,
            (Err(_), _) | (_, Err(_)) => Err(Reason::UnknownSession), // the box is stopping, and its sessions with it
        }
    }

    /// Whether the member could bring one more device online now.
    ///
    /// # Errors
    /// Why not.
    pub async fn would_admit(&self, member: MemberId) -> Result<Admission, Reason> {
        let live = self.live_devices(member);
        let snapshot = self.shell.registrar.snapshot();
        would_admit(&snapshot, &WifiFacts { live: &live }, member, self.shell.clock.now())
    }

    /// RadSec connections of each access point that has any.
    pub async fn connections(&self) -> BTreeMap<AccessPointName, usize> {
        let (reply, answer) = oneshot::channel();
        let _ = self.questions.send(Question::Connections { reply }).await; // when the box is stopping there are none
        answer.await.unwrap_or_default()
    }

    /// Counters since the start, for the metrics.
    pub async fn counters(&self) -> Vec<(&'static str, u64)> {
        let (reply, answer) = oneshot::channel();
        let _ = self.questions.send(Question::Counters { reply }).await; // when the box is stopping there is nothing to count
        answer.await.unwrap_or_default()
    }
}

fn withheld(snapshot: &Snapshot, row: &policy::SessionRow, now: Now) -> Option<u16> {
    let network = snapshot.site.networks.get(row.network.as_ref()?)?;
    match vlan_state(snapshot, network, now) {
        VlanState::Untested { vlan } | VlanState::Testing { vlan, .. } => Some(vlan),
        VlanState::Flat | VlanState::Tested { .. } => None,
    }
}

fn view(snapshot: &Snapshot, row: &policy::SessionRow, phase: SessionPhase, now: Now) -> SessionView {
    let member = row.member.and_then(|member| snapshot.members.get(&member));
    SessionView {
        id: row.id.to_string(),
        member_id: row.member.map(|member| member.to_string()),
        member_name: member.map(|member| member.name.0.clone()),
        username: row.username.0.clone(),
        mac: row.mac.map(|mac| mac.to_string()).unwrap_or_default(),
        access_point: row.access_point.to_string(),
        network: row.network.as_ref().map(ToString::to_string),
        vlan: row.vlan,
        vlan_withheld: if row.vlan.is_none() { withheld(snapshot, row, now) } else { None },
        ip: row.ip.as_ref().map(|ip| ip.0.to_string()),
        started_at: row.started_at.0,
        seen_at: row.seen_at.0,
        rx_bytes: row.rx_bytes,
        tx_bytes: row.tx_bytes,
        state: phase.word().to_owned(),
    }
}
