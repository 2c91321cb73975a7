//! What a device may publish and subscribe to. Made from its profile and its name, so no device can be given another's topics.
//!
//! | profile | publishes | hears |
//! |---|---|---|
//! | `shelly-gen2` | everything under `<device>/`, and `doorpost/<device>/rpc`, where it answers our calls | `<device>/…` |
//! | `reader` | everything under `readers/<device>/` | `readers/<device>/…` |
//!
//! Command topics ([`Topic::is_command`]) are never published by a device, its own least of all: a stored or looped command
//! opens a door by itself. Subscriptions are as wide as the device's own prefix, since only the box speaks there.

use super::topic::{Filter, Topic};

/// Who we are in a Shelly's eyes: the `src` of a call and so the head of the topic of its answer.
pub const BOX_PREFIX: &str = "doorpost";

/// The rights of one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rights {
    publish: Vec<Filter>,
    subscribe: Vec<Filter>,
}

impl Rights {
    /// A Shelly of the second generation or later, whose MQTT prefix is its client id.
    #[must_use]
    pub fn shelly_gen2(device: &str) -> Self {
        let own = format!("{device}/#");
        Self { publish: filters(&[&own, &shelly_answer_topic(device)]), subscribe: filters(&[&own]) }
    }

    /// A badge reader.
    #[must_use]
    pub fn reader(device: &str) -> Self {
        let own = format!("readers/{device}/#");
        Self { publish: filters(&[&own]), subscribe: filters(&[&own]) }
    }

    #[must_use]
    pub fn may_publish(&self, topic: &Topic) -> bool {
        !topic.is_command() && self.publish.iter().any(|own| own.matches(topic))
    }

    #[must_use]
    pub fn may_subscribe(&self, filter: &Filter) -> bool {
        self.subscribe.iter().any(|own| own.covers(filter))
    }
}

/// Where a Shelly takes calls.
#[must_use]
pub fn shelly_call_topic(device: &str) -> String {
    format!("{device}/rpc")
}

/// The `src` of our calls to a Shelly.
#[must_use]
pub fn shelly_call_src(device: &str) -> String {
    format!("{BOX_PREFIX}/{device}")
}

/// Where a Shelly answers our calls: `<src>/rpc`.
#[must_use]
pub fn shelly_answer_topic(device: &str) -> String {
    format!("{}/rpc", shelly_call_src(device))
}

/// Where a reader hears what became of a badge.
#[must_use]
pub fn reader_answer_topic(device: &str) -> String {
    format!("readers/{device}/answer")
}

/// A device's name fits one topic level (`values::DeviceName`); one that did not would get no rights at all.
fn filters(texts: &[&str]) -> Vec<Filter> {
    texts.iter().filter_map(|text| Filter::parse(text).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_profile_has_its_own_prefix_and_no_command_topic() {
        let topic = |text: &str| Topic::parse(text).expect("a topic");
        let filter = |text: &str| Filter::parse(text).expect("a filter");
        let (relay, reader) = (Rights::shelly_gen2("relay-street"), Rights::reader("reader-street"));
        for (rights, name, may) in [
            (&relay, "relay-street/status/switch:0", true),
            (&relay, "relay-street/online", true),
            (&relay, "relay-street/events/rpc", true),
            (&relay, "doorpost/relay-street/rpc", true),
            (&relay, "doorpost/relay-studio/rpc", false),
            (&relay, "relay-street/rpc", false),
            (&relay, "relay-street/command/switch:0", false),
            (&relay, "relay-studio/online", false),
            (&relay, "readers/reader-street/badge", false),
            (&reader, "readers/reader-street/badge", true),
            (&reader, "readers/reader-street/answer", false),
            (&reader, "readers/reader-studio/badge", false),
            (&reader, "relay-street/rpc", false),
        ] {
            assert_eq!(rights.may_publish(&topic(name)), may, "{name}");
        }
        for (rights, wanted, may) in [
            (&relay, "relay-street/rpc", true),
            (&relay, "relay-street/command/#", true),
            (&relay, "relay-street/#", true),
            (&relay, "#", false),
            (&relay, "+/rpc", false),
            (&relay, "relay-studio/rpc", false),
            (&reader, "readers/reader-street/answer", true),
            (&reader, "readers/+/answer", false),
            (&reader, "readers/#", false),
        ] {
            assert_eq!(rights.may_subscribe(&filter(wanted)), may, "{wanted}");
        }
    }
}
