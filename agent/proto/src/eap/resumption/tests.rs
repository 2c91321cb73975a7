use super::*;

fn sessions() -> Arc<TlsSessions> {
    Arc::new(TlsSessions::default())
}

fn member(n: u8) -> MemberId {
    MemberId::from_random([n; 16])
}

fn owner(n: u8, until: u64) -> SessionOwner {
    let credential = CredentialId::from_random([n; 16]);
    SessionOwner { member: member(n), credential, username: Some(format!("user-{n}")), until: Mono(until) }
}

/// A full login by `method`, of which rustls stored this, and which ended well.
fn logged_in(sessions: &Arc<TlsSessions>, method: MethodKind, key: &[u8], owner: SessionOwner) {
    let keeper = SessionKeeper::new(sessions, method);
    assert!(keeper.put(key.to_vec(), b"secrets".to_vec()));
    keeper.keep(owner, Some(InnerMethod::Pap));
}

#[test]
fn what_rustls_stores_can_be_resumed_only_once_it_is_kept() {
    let sessions = sessions();
    let first = SessionKeeper::new(&sessions, MethodKind::Ttls);
    assert!(first.put(b"id".to_vec(), b"secrets".to_vec()));
    let second = SessionKeeper::new(&sessions, MethodKind::Ttls);
    assert_eq!(second.get(b"id"), None);
    assert_eq!(first.get(b"id"), None, "not even by the conversation that made it");
    drop(first);
    assert!(sessions.is_empty());

    logged_in(&sessions, MethodKind::Ttls, b"id", owner(1, 10));
    assert_eq!(second.get(b"id").as_deref(), Some(&b"secrets"[..]));
    assert_eq!(second.resumed(), Some((Arc::new(owner(1, 10)), Some(InnerMethod::Pap))));
    assert_eq!(second.get(b"id").as_deref(), Some(&b"secrets"[..]), "a Session ID is good for the day");
}

#[test]
fn a_session_full_of_certificates_is_not_kept() {
    let sessions = sessions();
    for (length, is_kept) in [(SESSION_MAX_BYTES, true), (SESSION_MAX_BYTES + 1, false)] {
        let keeper = SessionKeeper::new(&sessions, MethodKind::Tls);
        assert_eq!(keeper.put(length.to_be_bytes().to_vec(), vec![7; length]), is_kept);
        keeper.keep(owner(1, 10), None);
    }
    assert_eq!(sessions.len(), 1);
}

#[test]
fn a_ticket_is_good_once() {
    let sessions = sessions();
    logged_in(&sessions, MethodKind::Tls, b"ticket", owner(1, 10));
    let keeper = SessionKeeper::new(&sessions, MethodKind::Tls);
    assert!(keeper.take(b"ticket").is_some());
    assert!(keeper.take(b"ticket").is_none());
    assert!(sessions.is_empty());
}

#[test]
fn a_session_of_one_method_is_none_of_another() {
    let sessions = sessions();
    logged_in(&sessions, MethodKind::Ttls, b"id", owner(1, 10));
    for other in [MethodKind::Peap, MethodKind::Tls] {
        let keeper = SessionKeeper::new(&sessions, other);
        assert_eq!((keeper.get(b"id"), keeper.take(b"id")), (None, None));
        assert_eq!(keeper.resumed(), None);
    }
    assert_eq!(sessions.len(), 1, "and trying it takes nothing away from its owner");
}

#[test]
fn a_chain_of_resumptions_lasts_no_longer_than_its_first_login_allows() {
    let sessions = sessions();
    logged_in(&sessions, MethodKind::Tls, b"first", owner(1, 100));
    let keeper = SessionKeeper::new(&sessions, MethodKind::Tls);
    assert!(keeper.take(b"first").is_some());
    assert!(keeper.put(b"second".to_vec(), b"secrets".to_vec()));
    keeper.keep(owner(1, 900), None);
    sessions.expire(Mono(99));
    assert_eq!(sessions.len(), 1);
    sessions.expire(Mono(100));
    assert!(sessions.is_empty());
}

#[test]
fn what_changes_about_a_member_ends_her_sessions_and_nobody_elses() {
    let sessions = sessions();
    for key in [b"a", b"b"] {
        logged_in(&sessions, MethodKind::Peap, key, owner(1, 10));
    }
    logged_in(&sessions, MethodKind::Peap, b"c", owner(2, 10));
    sessions.forget_member(member(1));
    assert_eq!(sessions.len(), 1);
    assert!(SessionKeeper::new(&sessions, MethodKind::Peap).get(b"c").is_some());
    sessions.forget_all();
    assert!(sessions.is_empty());
}

#[test]
fn a_refused_resumption_ends_the_session() {
    let sessions = sessions();
    logged_in(&sessions, MethodKind::Peap, b"id", owner(1, 10));
    let keeper = SessionKeeper::new(&sessions, MethodKind::Peap);
    assert!(keeper.get(b"id").is_some());
    keeper.forget();
    assert!(sessions.is_empty());
    assert_eq!(keeper.resumed(), None);
}

#[test]
fn a_session_that_was_shown_and_not_resumed_is_left_alone() {
    let sessions = sessions();
    logged_in(&sessions, MethodKind::Peap, b"mara", owner(1, 100));
    // Somebody who has overheard the Session ID offers it with terms that TLS cannot resume, and logs in herself.
    let keeper = SessionKeeper::new(&sessions, MethodKind::Peap);
    assert!(keeper.get(b"mara").is_some());
    keeper.overlook();
    keeper.forget();
    assert_eq!(sessions.len(), 1, "her refusal is not the owner's");
    assert!(keeper.put(b"olga".to_vec(), b"secrets".to_vec()));
    keeper.keep(owner(2, 900), None);
    sessions.expire(Mono(100));
    assert_eq!(sessions.len(), 1, "and the owner's end is not hers");
}

#[test]
fn a_member_who_logs_in_without_end_pushes_out_her_own_sessions_only() {
    let sessions = sessions();
    logged_in(&sessions, MethodKind::Peap, b"olga", owner(2, 10));
    for n in 0..1_000_u32 {
        logged_in(&sessions, MethodKind::Peap, &n.to_be_bytes(), owner(1, 10));
    }
    assert_eq!(sessions.len(), SESSIONS_OF_MEMBER_MAX + 1);
    assert_eq!(sessions.pushed_out(), 1_000 - u64::try_from(SESSIONS_OF_MEMBER_MAX).unwrap());
    let keeper = SessionKeeper::new(&sessions, MethodKind::Peap);
    assert!(keeper.get(b"olga").is_some());
    assert!(keeper.get(&999_u32.to_be_bytes()).is_some(), "the newest stay");
    assert!(keeper.get(&0_u32.to_be_bytes()).is_none());
}

#[test]
fn at_the_limit_the_oldest_makes_room() {
    let sessions = sessions();
    let count = u32::try_from(SESSIONS_MAX).unwrap() + 5;
    for n in 0..count {
        let id = u128::from(n).to_be_bytes();
        let owner = SessionOwner { member: MemberId::from_random(id), ..owner(1, 10) };
        logged_in(&sessions, MethodKind::Ttls, &n.to_be_bytes(), owner);
    }
    assert_eq!((sessions.len(), sessions.pushed_out()), (SESSIONS_MAX, 5));
    let keeper = SessionKeeper::new(&sessions, MethodKind::Ttls);
    assert!(keeper.get(&4_u32.to_be_bytes()).is_none());
    assert!(keeper.get(&5_u32.to_be_bytes()).is_some());
    let shelf = sessions.shelf();
    assert_eq!((shelf.by_number.len(), shelf.by_member.len()), (SESSIONS_MAX, SESSIONS_MAX), "no index keeps the dead");
}

#[test]
fn the_same_session_id_again_replaces_the_first() {
    let sessions = sessions();
    logged_in(&sessions, MethodKind::Ttls, b"id", owner(1, 10));
    logged_in(&sessions, MethodKind::Ttls, b"id", owner(2, 10));
    assert_eq!(sessions.len(), 1);
    sessions.forget_member(member(1));
    let keeper = SessionKeeper::new(&sessions, MethodKind::Ttls);
    assert!(keeper.get(b"id").is_some());
    assert_eq!(keeper.resumed().map(|(owner, _)| owner.member), Some(member(2)));
}

#[test]
fn nothing_secret_is_printed() {
    let sessions = sessions();
    logged_in(&sessions, MethodKind::Ttls, b"id", owner(1, 10));
    let keeper = SessionKeeper::new(&sessions, MethodKind::Ttls);
    assert!(keeper.get(b"id").is_some());
    assert_eq!(format!("{sessions:?} {keeper:?}"), "TlsSessions(1) SessionKeeper(Ttls)");
}
