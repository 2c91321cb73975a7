//! What a reader says and is told: `readers/<device>/badge` with `{"uid":"04A1B2C3"}`, and in answer
//! `readers/<device>/answer` with `{"granted":true,"reason":"door-opened","door":"street"}`.

use policy::Reason;
use proto::mqtt::Topic;
use proto::mqtt::rights::reader_answer_topic;
use serde::{Deserialize, Serialize};

/// A reader's message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// A badge's UID in canonical form.
    Badge(String),
    /// Not for us: the reader's own status.
    Nothing,
}

#[derive(Deserialize)]
struct Presented {
    uid: Option<String>,
    pin: Option<String>,
    code: Option<String>,
}

/// Reads what a reader published.
///
/// # Errors
/// What is told to the reader and the operator.
pub fn read(device: &str, topic: &Topic, payload: &[u8]) -> Result<Shown, Reason> {
    let own = topic.as_str().strip_prefix("readers/").and_then(|rest| rest.strip_prefix(device));
    match own.and_then(|rest| rest.strip_prefix('/')) {
        Some("badge" | "pin" | "code") => presented(payload),
        Some(_) | None => Ok(Shown::Nothing),
    }
}

fn presented(payload: &[u8]) -> Result<Shown, Reason> {
    let invalid = || Reason::Invalid {
        what: "What the reader sent".into(),
        expected: r#"JSON such as {"uid":"04A1B2C3"}"#.into(),
    };
    match serde_json::from_slice(payload).map_err(|_| invalid())? {
        Presented { uid: Some(uid), .. } => {
            policy::people::canonical_uid(&uid).map(Shown::Badge).map_err(|_| Reason::BadgeInvalid)
        }
        // Nobody has been given a PIN or a code so far.
        Presented { pin: Some(_), .. } | Presented { code: Some(_), .. } => Err(Reason::UnknownCredential),
        Presented { uid: None, pin: None, code: None } => Err(invalid()),
    }
}

#[derive(Serialize)]
struct Told<'a> {
    granted: bool,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    door: Option<&'a str>,
}

/// The topic and the message that tell a reader what became of a badge.
#[must_use]
pub fn answer(device: &str, granted: bool, code: &str, door: Option<&str>) -> Option<(Topic, Vec<u8>)> {
    let topic = Topic::parse(&reader_answer_topic(device)).ok()?;
    let told = serde_json::to_vec(&Told { granted, reason: code, door }).ok()?;
    Some((topic, told))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn badges_are_read_and_the_rest_is_refused_with_a_reason() {
        let topic = |name: &str| Topic::parse(name).expect("a topic");
        let badge = topic("readers/reader-street/badge");
        let code = |payload: &str| read("reader-street", &badge, payload.as_bytes()).map_err(|reason| reason.code());
        assert_eq!(code(r#"{"uid":"04:a1:b2:c3"}"#), Ok(Shown::Badge("04A1B2C3".into())));
        assert_eq!(code(r#"{"uid":"04A1B2C3","battery":80}"#), Ok(Shown::Badge("04A1B2C3".into())));
        assert_eq!(code(r#"{"uid":"04"}"#), Err("badge-invalid"));
        assert_eq!(code(r#"{"pin":"1234"}"#), Err("unknown-credential"));
        assert_eq!(code("{}"), Err("invalid"));
        assert_eq!(code("04A1B2C3"), Err("invalid"));
        let status = topic("readers/reader-street/status");
        assert_eq!(read("reader-street", &status, b"online"), Ok(Shown::Nothing));
    }

    #[test]
    fn an_answer_is_small_json() {
        let (topic, told) = answer("reader-street", true, "door-opened", Some("street")).expect("a topic");
        assert_eq!(topic.as_str(), "readers/reader-street/answer");
        assert_eq!(told, br#"{"granted":true,"reason":"door-opened","door":"street"}"#);
    }
}
