//! One attempt to open a door, as it is written down before the command leaves and after each answer. What stands unfinished
//! after a restart became [`IntentState::Unknown`] and is never sent again (`door` draws the whole state machine).

use serde::{Deserialize, Serialize};
use values::{DoorName, IntentId, MemberId, Timestamp};

/// A row of the intents ring. Each change of state is one more row with the same intent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntentRow {
    pub intent: IntentId,
    pub door: DoorName,
    /// None when the console or the administrator opened it.
    pub member: Option<MemberId>,
    pub at: Timestamp,
    pub state: IntentState,
}

/// How far an attempt has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IntentState {
    /// Decided; nothing has left for the relay.
    Logged,
    /// The command was handed to the connection.
    Sent,
    /// The relay said yes.
    Acknowledged,
    /// The relay, or the door's contact, showed it.
    Verified,
    /// The relay said no.
    Failed,
    /// The command became too old before it could leave.
    Expired,
    /// Nobody can say: no answer, or the box stopped in between.
    Unknown,
}

impl IntentState {
    pub const ALL: [Self; 7] =
        [Self::Logged, Self::Sent, Self::Acknowledged, Self::Verified, Self::Failed, Self::Expired, Self::Unknown];

    /// Whether nothing more is awaited that a restart would leave open.
    #[must_use]
    pub const fn is_finished(self) -> bool {
        match self {
            Self::Logged | Self::Sent => false,
            Self::Acknowledged | Self::Verified | Self::Failed | Self::Expired | Self::Unknown => true,
        }
    }
}
