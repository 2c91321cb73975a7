//! Topic names and filters (MQTT 3.1.1, 4.7), parsed once.

use std::fmt;

/// A Shelly prefix has up to 300 characters; everything else here is shorter.
pub const TOPIC_MAX_BYTES: usize = 512;
/// The deepest topic of a known profile has five levels.
pub const TOPIC_LEVELS_MAX: usize = 12;

/// A topic name: no wildcard, not empty, bounded.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Topic(String);

/// A topic filter: `+` stands alone in its level, `#` alone in the last one.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Filter(String);

/// Not a topic name or filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidTopic;

impl Topic {
    /// # Errors
    /// Empty, too long or deep, or with a wildcard or NUL.
    pub fn parse(text: &str) -> Result<Self, InvalidTopic> {
        if is_bounded(text) && !text.contains(['+', '#']) { Ok(Self(text.to_owned())) } else { Err(InvalidTopic) }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a message on this topic would make some device act: a relay's `<device>/rpc` and `<device>/command/…`, a
    /// reader's `readers/<device>/answer`. Only the box may speak there.
    #[must_use]
    pub fn is_command(&self) -> bool {
        let levels: Vec<&str> = self.0.split('/').collect();
        matches!(levels.as_slice(), [_, "rpc"] | [_, "command", ..] | ["readers", _, "answer"])
    }
}

impl Filter {
    /// # Errors
    /// Empty, too long or deep, NUL, or a wildcard out of place.
    pub fn parse(text: &str) -> Result<Self, InvalidTopic> {
        let levels: Vec<&str> = text.split('/').collect();
        let is_in_place = |(at, level): (usize, &&str)| match *level {
            "#" => at + 1 == levels.len(),
            "+" => true,
            plain => !plain.contains(['+', '#']),
        };
        let is_good = is_bounded(text) && levels.iter().enumerate().all(is_in_place);
        if is_good { Ok(Self(text.to_owned())) } else { Err(InvalidTopic) }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether messages on this topic are meant (4.7.1, 4.7.2).
    #[must_use]
    pub fn matches(&self, topic: &Topic) -> bool {
        if topic.0.starts_with('$') && self.0.starts_with(['+', '#']) {
            return false;
        }
        let mut wanted = self.0.split('/');
        let mut levels = topic.0.split('/');
        loop {
            match (wanted.next(), levels.next()) {
                (Some("#"), _) | (None, None) => return true,
                (Some("+"), Some(_)) => {}
                (Some(wanted), Some(level)) if wanted == level => {}
                (Some(_), _) | (None, Some(_)) => return false,
            }
        }
    }

    /// Whether every topic that `other` matches is matched by this filter too.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let mut ours = self.0.split('/');
        let mut theirs = other.0.split('/');
        loop {
            match (ours.next(), theirs.next()) {
                (Some("#"), _) | (None, None) => return true,
                // `a/#` also matches `a`, which no filter without `#` after `a` does.
                (_, Some("#")) => return false,
                (Some("+"), Some(_)) => {}
                (Some(our), Some(their)) if our == their => {}
                (Some(_), _) | (None, Some(_)) => return false,
            }
        }
    }
}

/// 4.7.3: at least one character, no NUL.
fn is_bounded(text: &str) -> bool {
    (1..=TOPIC_MAX_BYTES).contains(&text.len()) && !text.contains('\0') && text.split('/').count() <= TOPIC_LEVELS_MAX
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn topic(text: &str) -> Topic {
        Topic::parse(text).expect("a topic")
    }

    fn filter(text: &str) -> Filter {
        Filter::parse(text).expect("a filter")
    }

    #[test]
    fn the_examples_of_the_standard_match() {
        for (wanted, name, matches) in [
            ("sport/tennis/player1/#", "sport/tennis/player1", true),
            ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true),
            ("sport/#", "sport", true),
            ("#", "sport", true),
            ("sport/tennis/+", "sport/tennis/player1", true),
            ("sport/tennis/+", "sport/tennis/player1/ranking", false),
            ("sport/+", "sport", false),
            ("sport/+", "sport/", true),
            ("+/+", "/finance", true),
            ("/+", "/finance", true),
            ("+", "/finance", false),
            ("#", "$SYS/broker", false),
            ("+/monitor", "$SYS/monitor", false),
            ("$SYS/#", "$SYS/monitor", true),
            ("Accounts", "ACCOUNTS", false),
        ] {
            assert_eq!(filter(wanted).matches(&topic(name)), matches, "{wanted} {name}");
        }
    }

    #[test]
    fn wildcards_out_of_place_are_refused() {
        for text in
            ["", "sport/tennis#", "sport/#/ranking", "sport+", "a/b+/c", "a\0b", &"a/".repeat(12), &"x".repeat(513)]
        {
            assert!(Filter::parse(text).is_err(), "{text:?}");
        }
        for text in ["", "a/+", "#", "a\0"] {
            assert!(Topic::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn command_topics_are_known_by_their_shape() {
        for (name, is_command) in [
            ("relay-street/rpc", true),
            ("relay-street/command/switch:0", true),
            ("relay-street/command", true),
            ("readers/reader-street/answer", true),
            ("doorpost/relay-street/rpc", false),
            ("relay-street/events/rpc", false),
            ("relay-street/status/switch:0", false),
            ("readers/reader-street/badge", false),
        ] {
            assert_eq!(topic(name).is_command(), is_command, "{name}");
        }
    }

    fn levels() -> impl Strategy<Value = String> {
        prop::collection::vec(prop::sample::select(vec!["a", "b", ""]), 1..4).prop_map(|levels| levels.join("/"))
    }

    fn filters() -> impl Strategy<Value = String> {
        (prop::collection::vec(prop::sample::select(vec!["a", "b", "", "+"]), 0..4), any::<bool>()).prop_map(
            |(mut levels, open)| {
                if open {
                    levels.push("#");
                }
                levels.join("/")
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_covered_is_never_more(wide in filters(), narrow in filters(), name in levels()) {
            let (Ok(wide), Ok(narrow), Ok(name)) = (Filter::parse(&wide), Filter::parse(&narrow), Topic::parse(&name)) else {
                return Ok(());
            };
            prop_assert!(wide.covers(&wide));
            if wide.covers(&narrow) && narrow.matches(&name) {
                prop_assert!(wide.matches(&name));
            }
        }

        #[test]
        fn any_text_is_judged(text in ".{0,40}") {
            let _ = Topic::parse(&text).map(|topic| topic.is_command());
            let _ = Filter::parse(&text);
        }
    }
}
