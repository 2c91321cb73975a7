//! Logins by the TLS session of an earlier one: policy is asked as ever, on the newest snapshot.

use super::world::*;
use proto::radius::{AttributeType, Code};

#[test]
fn who_resumes_gets_the_terms_of_today() {
    let mut world = World::new();
    let accept = world.login(1, "session/1");
    assert_eq!(accept.code, Code::AccessAccept);
    assert_eq!(accept.text(AttributeType::USER_NAME).as_deref(), Some("user-1"));
    assert_eq!(accept.text(AttributeType::TUNNEL_PRIVATE_GROUP_ID).as_deref(), Some("10"));
    let record = world.records.last().expect("it is written down");
    assert_eq!((record.code.as_str(), record.member), ("wifi-admitted", Some(member_id(1))));
    assert!(record.facts.get("method").is_some_and(|method| method.ends_with(", resumed")), "{:?}", record.facts);
    assert_eq!(world.engine.counters().logins_resumed, 1);
    world.login(2, "user-2/2");
    assert_eq!(world.engine.counters().logins_resumed, 1, "a full login is none");
}

#[test]
fn who_may_not_come_in_may_not_by_resuming_and_reads_the_same_reason() {
    let mut world = World::new();
    world.suspend(2);
    for (n, text) in [(1, "session/2"), (2, "user-2/2")] {
        assert_eq!(world.login(n, text).code, Code::AccessReject);
        let record = world.records.last().expect("it is written down");
        assert_eq!((record.code.as_str(), record.member), ("member-suspended", Some(member_id(2))));
    }
    assert_eq!(world.login(3, "session/99").code, Code::AccessReject, "of a key that the box does not know any more");
    assert_eq!(world.engine.counters().logins_resumed, 0);
}
