//! What is written down about a decision or a change. One shape for the audit log, the event stream, `why` and the UI.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use values::{CredentialId, EventId, MemberId, Pii, Timestamp};

/// The part of the product that a record belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Noun {
    Wifi,
    Print,
    Door,
    People,
    Device,
    Site,
    Admin,
}

/// How it came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Somebody got what they asked for.
    Allowed,
    /// Somebody did not.
    Refused,
    /// Something happened.
    Noted,
    /// Something happened that an operator should look at.
    Warning,
}

/// One row of history. It names people by id only; what is personal stands in `personal` and enters the hash chain as a
/// salted commitment, so that it can be erased and the chain still verifies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub id: EventId,
    pub at: Timestamp,
    pub noun: Noun,
    pub outcome: Outcome,
    /// Stable, machine-readable: a [`crate::Reason`]'s code or a fixed word such as `wifi-admitted`.
    pub code: String,
    /// One plain English sentence, without personal data.
    pub sentence: String,
    pub member: Option<MemberId>,
    pub credential: Option<CredentialId>,
    /// The access point, printer, door or device, by name.
    pub place: Option<String>,
    /// Facts that are not personal: `vlan`, `method`, `pages`, `job`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<String, String>,
    /// Personal facts: `mac`, `username`, `badge`, `document`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub personal: BTreeMap<String, Pii<String>>,
}

impl Record {
    #[must_use]
    pub fn new(
        id: EventId,
        at: Timestamp,
        noun: Noun,
        outcome: Outcome,
        code: &str,
        sentence: impl Into<String>,
    ) -> Self {
        Self {
            id,
            at,
            noun,
            outcome,
            code: code.to_owned(),
            sentence: sentence.into(),
            member: None,
            credential: None,
            place: None,
            facts: BTreeMap::new(),
            personal: BTreeMap::new(),
        }
    }

    #[must_use]
    pub fn member(mut self, member: Option<MemberId>) -> Self {
        self.member = member;
        self
    }

    #[must_use]
    pub fn credential(mut self, credential: Option<CredentialId>) -> Self {
        self.credential = credential;
        self
    }

    #[must_use]
    pub fn place(mut self, place: impl ToString) -> Self {
        self.place = Some(place.to_string());
        self
    }

    #[must_use]
    pub fn fact(mut self, key: &str, value: impl ToString) -> Self {
        self.facts.insert(key.to_owned(), value.to_string());
        self
    }

    #[must_use]
    pub fn personal(mut self, key: &str, value: impl Into<String>) -> Self {
        self.personal.insert(key.to_owned(), Pii(value.into()));
        self
    }
}
