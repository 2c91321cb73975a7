//! Sessions that go on while what is known of them changes: another name of their NAS, another login of their device.

use super::super::*;
use super::world::*;
use proto::radius::{AttributeType, Code, Writer};

fn class(world: &mut World, n: u8) -> String {
    let accept = world.login(n, &format!("user-{n}/{n}"));
    assert_eq!(accept.code, Code::AccessAccept);
    accept.text(AttributeType::CLASS).expect("our Class")
}

fn live(world: &mut World) -> Vec<(String, String)> {
    world.pass(Duration::from_secs(1));
    let rows = world.presence.sessions.iter().map(|view| &view.row);
    rows.map(|row| (row.nas.clone(), row.acct_session_id.clone())).collect()
}

fn ids(rows: &[SessionRow]) -> usize {
    rows.iter().map(|row| row.id).collect::<std::collections::BTreeSet<_>>().len()
}

type Name = fn(Writer) -> Writer;

const ATTIC: Name = |writer| writer.text(AttributeType::NAS_IDENTIFIER, "attic");
const CELLAR: Name = |writer| writer.text(AttributeType::NAS_IDENTIFIER, "cellar");
const LEASED: Name = |writer| writer.attribute(AttributeType::NAS_IP_ADDRESS, &[10, 0, 1, 1]);
const LEASED_ANEW: Name = |writer| writer.attribute(AttributeType::NAS_IP_ADDRESS, &[10, 0, 1, 2]);
const NAMELESS: Name = |writer| writer;

fn after(request: Writer, session_seconds: u32) -> Writer {
    request.integer(AttributeType::ACCT_SESSION_TIME, session_seconds)
}

/// A controller that names the radio and keeps Acct-Session-Id while the device roams; an access point with a new lease; a Stop that
/// says less than its Start.
#[test]
fn a_session_goes_on_under_another_name_of_its_nas() {
    for [first, then] in [[ATTIC, CELLAR], [LEASED, LEASED_ANEW], [ATTIC, NAMELESS]] {
        for ends in [false, true] {
            let mut world = World::new();
            let its = class(&mut world, 1);
            assert!(world.account(1, first(report(1, 1, 1, "a1", Some(&its)))));
            world.pass(Duration::from_secs(60));
            // It logs in again in place, so that all that was reported before seems to have begun earlier.
            assert_eq!(class(&mut world, 1), its);
            world.pass(Duration::from_secs(60));
            if !ends {
                assert!(world.account(2, after(then(report(2, 3, 1, "a1", Some(&its))), 120)));
                assert_eq!(live(&mut world).len(), 1);
                assert_eq!(disconnects(&world.suspend(1)).len(), 1, "one session, one request");
                world.resume(1);
            }
            assert!(world.account(3, after(then(report(3, 2, 1, "a1", Some(&its))), 121)));
            assert_eq!(live(&mut world), [], "no ghost");
            // What the former radio still had to say, late.
            assert!(world.account(4, after(first(report(4, 3, 1, "a1", Some(&its))), 119)));
            assert_eq!(live(&mut world), [], "nor one by a straggler");
            assert_eq!(ids(&world.rows), 1);
        }
    }
}

#[test]
fn a_session_that_came_without_a_login_goes_on_under_another_name_too() {
    let mut world = World::new();
    let its = class(&mut world, 1);
    assert!(world.account(1, ATTIC(report(1, 1, 1, "a1", Some(&its)))));
    assert!(world.account(2, ATTIC(report(2, 2, 1, "a1", Some(&its)))));
    world.pass(Duration::from_secs(60));
    assert!(world.account(3, ATTIC(report(3, 1, 1, "a2", Some(&its)))), "by the key that the access point keeps");
    world.pass(Duration::from_secs(60));
    assert!(world.account(4, after(CELLAR(report(4, 3, 1, "a2", Some(&its))), 30)), "its clock is late");
    assert_eq!(live(&mut world), [("cellar".to_owned(), "a2".to_owned())]);
    assert_eq!(ids(&world.rows), 2);
}

/// The radio that a device has left starts anew before the one where it is by now has told of it.
#[test]
fn a_device_is_still_online_when_where_it_was_restarts() {
    for status in [7, 8] {
        let mut world = World::new();
        let its = class(&mut world, 1);
        assert!(world.account(1, ATTIC(report(1, 1, 1, "a1", Some(&its)))));
        world.pass(Duration::from_secs(60));
        let on = Writer::request(Code::AccountingRequest, 2, [0; 16]).integer(AttributeType::ACCT_STATUS_TYPE, status);
        assert!(world.account(2, ATTIC(on)));
        assert_eq!(live(&mut world), []);
        assert!(world.account(3, after(CELLAR(report(3, 3, 1, "a1", Some(&its))), 61)));
        assert_eq!(live(&mut world), [("cellar".to_owned(), "a1".to_owned())]);
        assert_eq!(disconnects(&world.suspend(1)).len(), 1);
    }
}

#[test]
fn nases_that_number_alike_stay_apart_when_a_device_goes_from_one_to_the_other() {
    let mut world = World::new();
    let its = class(&mut world, 1);
    assert!(world.account(1, ATTIC(report(1, 1, 1, "1", Some(&its)))));
    world.pass(Duration::from_secs(60));
    assert!(world.account(2, CELLAR(report(2, 1, 1, "1", Some(&its)))));
    assert!(world.account(3, after(ATTIC(report(3, 2, 1, "1", Some(&its))), 60)));
    assert_eq!(live(&mut world), [("cellar".to_owned(), "1".to_owned())], "the Stop is of where it was");
    assert_eq!(ids(&world.rows), 2);

    // Another member's device under the same number, with a Class of its own.
    let other = class(&mut world, 2);
    assert!(world.account(4, ATTIC(report(4, 1, 2, "1", Some(&other)))));
    assert_eq!(live(&mut world).len(), 2);
    assert!(world.account(5, after(ATTIC(report(5, 2, 2, "1", Some(&other))), 2)));
    assert_eq!(live(&mut world), [("cellar".to_owned(), "1".to_owned())]);
}

/// A whole login of device `n` as `text` at this NAS.
fn login_at(world: &mut World, n: u8, nas: &str, text: &str) -> String {
    let request = |world: &World, state: Option<&[u8]>, eap: &[u8]| {
        let authenticator = authenticator(u8::from(state.is_some()), (world.now.mono.0 / 1_000_000) as u8);
        let writer = Writer::request(Code::AccessRequest, u8::from(state.is_some()), authenticator)
            .text(AttributeType::USER_NAME, "anonymous")
            .text(AttributeType::NAS_IDENTIFIER, nas)
            .text(AttributeType::CALLING_STATION_ID, &mac(n).to_string())
            .eap_message(eap);
        let writer = state.into_iter().fold(writer, |writer, state| writer.attribute(AttributeType::STATE, state));
        writer.finish(SECRET).expect("it fits")
    };
    let first = request(world, None, &identity(1));
    let state = world.exchange(&first).expect("a challenge").state().expect("a State");
    let second = request(world, Some(&state), &proof(2, text));
    let accept = world.exchange(&second).expect("an answer");
    assert_eq!(accept.code, Code::AccessAccept);
    accept.text(AttributeType::CLASS).expect("our Class")
}

/// Access points that send no accounting: of the logins of a device at one after the other, only the last can be where it is.
#[test]
fn a_login_ends_what_was_never_reported_of_its_device_elsewhere() {
    let mut world = World::new();
    let elsewhere = login_at(&mut world, 1, "attic", "user-2/2"); // her colleague's key, on the same device
    let mut last = String::new();
    for nas in ["attic", "cellar", "yard", "roof"] {
        world.pass(Duration::from_secs(120));
        last = login_at(&mut world, 1, nas, "user-1/1");
    }
    world.pass(Duration::from_secs(61));
    let mut known: Vec<String> = world.presence.sessions.iter().map(|view| view.row.id.to_string()).collect();
    known.sort_unstable();
    let mut expected = [elsewhere, last];
    expected.sort_unstable();
    assert_eq!(known, expected, "what is another member's is not hers to end");
    assert_eq!(world.rows, []);
}

/// Who asks and who reports differ: the one that asked ends the session, and its row is of the other.
#[test]
fn an_end_by_who_asked_is_not_answered_before_it_is_written_down() {
    let mut world = World::new();
    let its = login_at(&mut world, 1, "controller", "user-1/1");
    assert!(world.account(1, ATTIC(report(1, 1, 1, "a1", Some(&its)))));
    let off = |identifier| {
        Writer::request(Code::AccountingRequest, identifier, [0; 16])
            .integer(AttributeType::ACCT_STATUS_TYPE, 8)
            .text(AttributeType::NAS_IDENTIFIER, "controller")
    };
    world.disk = false;
    assert!(!world.account(2, off(2)));
    assert!(!world.account(3, off(3)), "its row is still not on the disk");
    assert_eq!(live(&mut world), []);
    world.disk = true;
    assert!(world.account(4, off(4)));
    let last = world.rows.last().expect("a row");
    assert_eq!((last.nas.as_str(), last.end_cause.as_deref()), ("attic", Some("access-point-stopped")));
    assert!(world.account(5, off(5)));
    assert_eq!(world.rows.len(), 2, "once");
}
