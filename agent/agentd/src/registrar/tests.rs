//! Commands that wait together, on a real store: the disk is waited for once, and none pays for another's fault.

use super::*;
use policy::snapshot::Loaded;
use policy::{Member, MemberStatus, Window};
use std::path::Path;
use store::SealingKey;
use tokio::sync::broadcast::error::TryRecvError;
use tokio::task::JoinHandle;
use values::{MemberId, Pii, Secret, Timestamp};

const AT: Timestamp = Timestamp(1_795_000_000_000);
/// In the first snapshot and not in the store, which therefore refuses whatever belongs to her.
const GHOST: MemberId = MemberId::from_random([9; 16]);

fn key() -> SealingKey {
    SealingKey::from_bytes(&Secret::new([7; 32]))
}

fn ghost() -> Member {
    Member {
        id: GHOST,
        revision: 1,
        name: Pii("Nobody".into()),
        email: Pii("nobody@harbour.example".into()),
        plan: "resident".parse().expect("a name"),
        team: None,
        status: MemberStatus::Active,
        valid: Window::default(),
        home_site: None,
        shows_presence: false,
        added_at: AT,
    }
}

fn add(email: &str) -> Command {
    Command::AddMember {
        name: Pii("Mara Holm".into()),
        email: Pii(email.into()),
        plan: "resident".parse().expect("a name"),
        team: None,
        valid: Window::default(),
    }
}

struct Desk {
    folder: tempfile::TempDir,
    store: Arc<Store>,
    recorder: Recorder,
    registrar: Registrar,
    task: Option<std::pin::Pin<Box<dyn Future<Output = ()> + Send>>>,
    running: Option<JoinHandle<()>>,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (store, mut loaded) = Store::open(folder.path(), key()).expect("the store opens");
        loaded.members.push(ghost());
        let demo = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../configs/demo.yaml"));
        let site = crate::site_file::read(demo).expect("the demo's site file is valid");
        let store = Arc::new(store);
        let recorder = Recorder::new(Arc::clone(&store));
        let clock = Arc::new(host::Clock::new(folder.path(), AT, host::clock::Trust::Always));
        let first = Snapshot::load(Arc::new(site.model), loaded);
        let (registrar, task) = Registrar::new(first, Arc::clone(&store), recorder.clone(), clock);
        Self { folder, store, recorder, registrar, task: Some(Box::pin(task)), running: None }
    }

    /// Asks for all of it while the Registrar does not look, then lets it.
    async fn submit_together(&mut self, commands: Vec<Command>) -> Vec<Result<Committed, Reason>> {
        let count = commands.len();
        let mut asked = Vec::new();
        for command in commands {
            let registrar = self.registrar.clone();
            asked.push(tokio::spawn(async move { registrar.submit(Actor::Console, command).await }));
        }
        while self.running.is_none() && self.registrar.requests.capacity() > QUEUE_MAX - count {
            tokio::task::yield_now().await;
        }
        if let Some(task) = self.task.take() {
            self.running = Some(tokio::spawn(task));
        }
        let mut answers = Vec::new();
        for asked in asked {
            answers.push(asked.await.expect("the asker runs to its end"));
        }
        answers
    }

    /// What a restart would find.
    async fn reopen(self) -> Loaded {
        let Self { folder, store, recorder, registrar, running, .. } = self;
        let running = running.expect("it was asked something");
        running.abort();
        assert!(running.await.expect_err("it runs for ever").is_cancelled());
        drop((recorder, registrar));
        drop(Arc::into_inner(store).expect("nobody else has the store"));
        let report = store::verify(folder.path()).expect("looked at");
        assert!(report.is_good(), "{report}");
        Store::open(folder.path(), key()).expect("the store opens again").1
    }
}

fn code(answer: &Result<Committed, Reason>) -> &'static str {
    answer.as_ref().map_or_else(Reason::code, |_| "ok")
}

#[tokio::test]
async fn commands_that_wait_together_are_committed_together_and_each_sees_the_ones_before() {
    let mut desk = Desk::new();
    let (mut changed, mut records) = (desk.registrar.changed(), desk.recorder.subscribe());
    let first = desk.registrar.snapshot();
    let before = desk.store.commits();
    let mut commands: Vec<Command> = (0..99).map(|n| add(&format!("mara{n}@harbour.example"))).collect();
    commands.insert(40, add("mara7@harbour.example"));
    let answers = desk.submit_together(commands).await;

    assert_eq!(code(&answers[40]), "email-taken", "by one of the same group");
    let stood: Vec<&Committed> = answers.iter().flatten().collect();
    let generations: Vec<u64> = stood.iter().map(|committed| committed.snapshot.generation).collect();
    assert_eq!(generations, (1..=99).collect::<Vec<u64>>(), "one after the other, in the order of asking");
    for committed in &stood {
        let [Change::Member(member)] = committed.changes.as_slice() else { panic!("one member a command") };
        assert!(committed.snapshot.members.contains_key(&member.id));
    }
    assert_eq!(desk.store.commits() - before, 2, "64 and 36");
    let newest = desk.registrar.snapshot();
    assert_eq!((newest.generation, newest.members.len()), (99, 100));
    assert!(Arc::ptr_eq(&changed.try_recv().expect("told of the first group"), &first));
    assert_eq!(changed.try_recv().map(|old| old.generation), Ok(63), "and of the second: 64 and a refusal came before");
    assert_eq!(changed.try_recv().map(drop), Err(TryRecvError::Empty));
    assert_eq!(std::iter::from_fn(|| records.try_recv().ok()).count(), 99);

    drop((answers, first, newest));
    let loaded = desk.reopen().await;
    assert_eq!((loaded.generation, loaded.members.len()), (99, 99));
}

#[tokio::test]
async fn what_cannot_be_written_refuses_itself_and_nothing_else() {
    let mut desk = Desk::new();
    let (mut changed, mut records) = (desk.registrar.changed(), desk.recorder.subscribe());
    let key = Command::IssueWifiKey { member: GHOST, label: Pii("phone".into()), nt_hash: Secret::new([1; 16]) };
    let group = vec![
        add("no address"),
        add("mara@harbour.example"),
        key.clone(),
        add("mara@harbour.example"),
        add("no address"),
    ];
    let answers = desk.submit_together(group).await;
    let codes: Vec<&str> = answers.iter().map(code).collect();
    assert_eq!(codes, ["email-invalid", "ok", "storage-failed", "email-taken", "email-invalid"], "each by itself");
    assert_eq!(desk.registrar.snapshot().members.len(), 2, "the ghost and Mara");
    assert!(changed.try_recv().is_ok(), "Mara");
    assert_eq!(changed.try_recv().map(drop), Err(TryRecvError::Empty), "and nothing of what was not written");
    assert_eq!(std::iter::from_fn(|| records.try_recv().ok()).count(), 1);

    let answers = desk.submit_together(vec![key]).await;
    assert_eq!(answers.iter().map(code).collect::<Vec<_>>(), ["storage-failed"], "alone, too");
    let answers = desk.submit_together(vec![add("kai@harbour.example")]).await;
    assert_eq!(answers.iter().map(code).collect::<Vec<_>>(), ["ok"], "the next one is not concerned");
    let loaded = desk.reopen().await;
    let mut emails: Vec<&str> = loaded.members.iter().map(|member| member.email.0.as_str()).collect();
    emails.sort_unstable();
    assert_eq!(emails, ["kai@harbour.example", "mara@harbour.example"]);
    assert!(loaded.credentials.is_empty());
    assert_eq!(loaded.generation, 2);
}
