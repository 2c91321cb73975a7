//! The calls of a Shelly of the second generation or later, as JSON over MQTT (vendor's documents: RPC protocol, Switch 1.0,
//! Notifications). A call goes to `<device>/rpc` and names us as `src`; the answer comes on `<src>/rpc` with the same `id`.
//! Status and notifications come by themselves.
//!
//! This file knows the words only: when to say them is `opening`'s business.

use proto::mqtt::Topic;
use proto::mqtt::rights::{shelly_answer_topic, shelly_call_src, shelly_call_topic};
use serde::Deserialize;
use serde_json::{Value, json};

/// The `id` of a call: 31 bits, so that it is a positive number in every firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallId(u32);

impl CallId {
    #[must_use]
    pub const fn new(bits: u32) -> Self {
        Self(bits & 0x7fff_ffff)
    }

    /// Another one, for a second call of the same attempt.
    #[must_use]
    pub const fn next(self) -> Self {
        Self::new(self.0.wrapping_add(1))
    }
}

/// What an answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A result; of `Switch.GetStatus`, whether the output is on.
    Done {
        output: Option<bool>,
    },
    Error,
}

/// What a message of the relay means to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    Answer { call: CallId, reply: Reply },
    Output { channel: u8, on: bool },
    Nothing,
}

/// `Switch.GetStatus`: asks and changes nothing.
#[must_use]
pub fn status_call(device: &str, channel: u8, call: CallId) -> Vec<u8> {
    frame(device, call, "Switch.GetStatus", json!({ "id": channel }))
}

/// `Switch.Set` on, with the flip back timed by the device: a duplicate starts the same pulse again and toggles nothing, and
/// no word of ours is needed to end it.
#[must_use]
pub fn pulse_call(device: &str, channel: u8, pulse_ms: u32, call: CallId) -> Vec<u8> {
    let seconds =
        if pulse_ms.is_multiple_of(1_000) { json!(pulse_ms / 1_000) } else { json!(f64::from(pulse_ms) / 1_000.0) };
    frame(device, call, "Switch.Set", json!({ "id": channel, "on": true, "toggle_after": seconds }))
}

/// `Switch.Set` off, for a relay that stayed on.
#[must_use]
pub fn off_call(device: &str, channel: u8, call: CallId) -> Vec<u8> {
    frame(device, call, "Switch.Set", json!({ "id": channel, "on": false }))
}

/// Where calls go.
#[must_use]
pub fn call_topic(device: &str) -> Option<Topic> {
    Topic::parse(&shelly_call_topic(device)).ok()
}

/// Reads what a relay published.
#[must_use]
pub fn hear(device: &str, topic: &Topic, payload: &[u8]) -> Heard {
    if topic.as_str() == shelly_answer_topic(device) {
        return serde_json::from_slice::<Answer>(payload).map_or(Heard::Nothing, Answer::heard);
    }
    match topic.as_str().strip_prefix(device).and_then(|rest| rest.strip_prefix('/')) {
        Some("events/rpc") => notified(payload),
        Some(rest) => rest.strip_prefix("status/").map_or(Heard::Nothing, |component| status(component, payload)),
        None => Heard::Nothing,
    }
}

fn frame(device: &str, call: CallId, method: &str, params: Value) -> Vec<u8> {
    let frame = json!({ "id": call.0, "src": shelly_call_src(device), "method": method, "params": params });
    frame.to_string().into_bytes()
}

#[derive(Deserialize)]
struct Answer {
    id: u32,
    result: Option<Value>,
    error: Option<Value>,
}

impl Answer {
    fn heard(self) -> Heard {
        let reply = match (self.result, self.error) {
            (_, Some(_)) => Reply::Error,
            (Some(result), None) => Reply::Done { output: result.get("output").and_then(Value::as_bool) },
            (None, None) => return Heard::Nothing,
        };
        // An id of another width was not ours.
        if CallId::new(self.id).0 == self.id { Heard::Answer { call: CallId(self.id), reply } } else { Heard::Nothing }
    }
}

/// `NotifyStatus`: `params` holds the components that changed.
fn notified(payload: &[u8]) -> Heard {
    let Ok(frame) = serde_json::from_slice::<Value>(payload) else { return Heard::Nothing };
    let Some(params) = frame.get("params").and_then(Value::as_object) else { return Heard::Nothing };
    let mut outputs = params.iter().filter_map(|(component, status)| output(component, status));
    outputs.next().unwrap_or(Heard::Nothing)
}

fn status(component: &str, payload: &[u8]) -> Heard {
    let status = serde_json::from_slice::<Value>(payload).ok();
    status.and_then(|status| output(component, &status)).unwrap_or(Heard::Nothing)
}

fn output(component: &str, status: &Value) -> Option<Heard> {
    let channel = component.strip_prefix("switch:")?.parse().ok()?;
    Some(Heard::Output { channel, on: status.get("output")?.as_bool()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(topic: &str, payload: &str) -> Heard {
        hear("relay-street", &Topic::parse(topic).expect("a topic"), payload.as_bytes())
    }

    #[test]
    fn calls_are_written_as_the_vendor_shows_them() {
        let text = |bytes: Vec<u8>| serde_json::from_slice::<Value>(&bytes).expect("JSON");
        let pulse = text(pulse_call("relay-street", 0, 3_000, CallId::new(7)));
        let expected = json!({
            "id": 7, "src": "doorpost/relay-street", "method": "Switch.Set",
            "params": { "id": 0, "on": true, "toggle_after": 3 }
        });
        assert_eq!(pulse, expected);
        assert_eq!(text(pulse_call("r", 1, 3_500, CallId::new(7)))["params"]["toggle_after"], json!(3.5));
        assert_eq!(text(status_call("r", 1, CallId::new(8)))["method"], "Switch.GetStatus");
    }

    #[test]
    fn answers_and_notices_are_understood() {
        let answer = "doorpost/relay-street/rpc";
        let done = |output| Heard::Answer { call: CallId::new(7), reply: Reply::Done { output } };
        for (topic, payload, expected) in [
            (
                answer,
                r#"{"id":7,"src":"relay-street","dst":"doorpost/relay-street","result":{"was_on":false}}"#,
                done(None),
            ),
            (answer, r#"{"id":7,"result":{"id":0,"source":"init","output":true}}"#, done(Some(true))),
            (
                answer,
                r#"{"id":7,"error":{"code":-103,"message":"nope"}}"#,
                Heard::Answer { call: CallId::new(7), reply: Reply::Error },
            ),
            (answer, r#"{"id":7}"#, Heard::Nothing),
            (answer, r#"{"id":-7,"result":{}}"#, Heard::Nothing),
            (answer, r#"{"id":4294967295,"result":{}}"#, Heard::Nothing),
            (answer, "true", Heard::Nothing),
            ("relay-street/status/switch:1", r#"{"id":1,"output":false}"#, Heard::Output { channel: 1, on: false }),
            ("relay-street/status/input:0", r#"{"id":0,"state":true}"#, Heard::Nothing),
            (
                "relay-street/events/rpc",
                r#"{"src":"x","method":"NotifyStatus","params":{"ts":1.0,"switch:0":{"id":0,"output":true}}}"#,
                Heard::Output { channel: 0, on: true },
            ),
            ("relay-street/online", "true", Heard::Nothing),
        ] {
            assert_eq!(heard(topic, payload), expected, "{topic} {payload}");
        }
    }
}
