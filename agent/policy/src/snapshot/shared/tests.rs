//! Against a `BTreeMap` under random changes: what is held, what is shared, what differs.

use super::*;
use proptest::prelude::*;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

type Map = SharedMap<u16, Arc<u32>>;
type Model = BTreeMap<u16, Arc<u32>>;

#[derive(Clone, Debug)]
enum Step {
    Insert(u16, u32),
    /// The same value again, which is another one all the same.
    Again(u16),
    Remove(u16),
    /// Keys that follow one another, as an import makes them, and the same taken away.
    Fill(u16, u16),
    Clear(u16, u16),
    /// Later differences are counted from here.
    Keep,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = || prop_oneof![3 => 0u16..2_000, 1 => 0u16..40];
    let step = prop_oneof![
        8 => (key(), any::<u32>()).prop_map(|(key, value)| Step::Insert(key, value)),
        2 => key().prop_map(Step::Again),
        8 => key().prop_map(Step::Remove),
        2 => (key(), 0u16..400).prop_map(|(from, count)| Step::Fill(from, count)),
        2 => (key(), 0u16..600).prop_map(|(from, count)| Step::Clear(from, count)),
        1 => Just(Step::Keep),
    ];
    prop::collection::vec(step, 0..60)
}

fn put(map: &mut Map, model: &mut Model, key: u16, value: u32) {
    let value = Arc::new(value);
    assert_eq!(map.insert(key, Arc::clone(&value)), model.insert(key, value));
}

fn take(map: &mut Map, model: &mut Model, key: u16) {
    assert_eq!(map.remove(&key), model.remove(&key));
}

fn run(step: &Step, map: &mut Map, model: &mut Model) {
    match *step {
        Step::Insert(key, value) => put(map, model, key, value),
        Step::Again(key) => {
            if let Some(value) = model.get(&key).map(|value| **value) {
                put(map, model, key, value);
            }
        }
        Step::Remove(key) => take(map, model, key),
        Step::Fill(from, count) => (from..from + count).for_each(|key| put(map, model, key, 1)),
        Step::Clear(from, count) => (from..from + count).for_each(|key| take(map, model, key)),
        Step::Keep => {}
    }
}

/// The difference as one would write it down: by looking at everything.
fn naive(old: &Model, new: &Model) -> BTreeSet<*const u32> {
    let is_in =
        |model: &Model, key: &u16, value: &Arc<u32>| model.get(key).is_some_and(|known| Arc::ptr_eq(known, value));
    let gone = old.iter().filter(|(key, value)| !is_in(new, key, value));
    let come = new.iter().filter(|(key, value)| !is_in(old, key, value));
    gone.chain(come).map(|(_, value)| Arc::as_ptr(value)).collect()
}

fn told(old: &Map, new: &Map) -> BTreeSet<*const u32> {
    let mut found = BTreeSet::new();
    old.differing(new, |value| assert!(found.insert(std::ptr::from_ref(value)), "told twice"));
    found
}

/// Depth of all leaves; each node is in order, neither empty nor too full, and inside the bounds that its branch gives it.
fn depth_of(node: &Node<u16, Arc<u32>>, from: Option<u16>, below: Option<u16>) -> usize {
    assert!(node.len() <= NODE_MAX && (node.len() > 0 || (from.is_none() && below.is_none())));
    match node {
        Node::Leaf(entries) => {
            assert!(entries.is_sorted_by(|one, next| one.0 < next.0));
            assert!(entries.iter().all(|(key, _)| from.is_none_or(|from| from <= *key)));
            assert!(entries.iter().all(|(key, _)| below.is_none_or(|below| *key < below)));
            0
        }
        Node::Branch(parts) => {
            let ends = parts.iter().skip(1).map(|(least, _)| Some(*least)).chain([below]);
            let depths: BTreeSet<usize> =
                parts.iter().zip(ends).map(|((least, part), end)| depth_of(part, Some(*least), end)).collect();
            assert_eq!(depths.len(), 1, "all leaves lie equally deep");
            depths.into_iter().sum::<usize>() + 1
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn it_holds_what_a_btree_map_holds_and_tells_what_differs(steps in steps()) {
        let (mut map, mut model) = (Map::default(), Model::default());
        let mut kept = Vec::new();
        for step in &steps {
            let (before, model_before) = (map.clone(), model.clone());
            run(step, &mut map, &mut model);
            depth_of(&map.root, None, None);
            prop_assert_eq!(map.len(), model.len());
            prop_assert!(map.iter().eq(model.iter()), "in order, with nothing lost");
            prop_assert_eq!(map.iter().size_hint(), (model.len(), Some(model.len())));
            prop_assert!(before.iter().eq(model_before.iter()), "a copy stays as it was");
            prop_assert_eq!(told(&before, &map), naive(&model_before, &model));
            if matches!(step, Step::Keep) {
                kept.push((map.clone(), model.clone()));
            }
        }
        for (old, old_model) in &kept {
            prop_assert_eq!(told(old, &map), naive(old_model, &model));
            prop_assert_eq!(told(&map, old), naive(&model, old_model), "from either side");
            prop_assert_eq!(&map == old, model == *old_model);
        }
        for key in 0..2_100 {
            prop_assert_eq!(map.get(&key), model.get(&key));
            prop_assert_eq!(map.contains_key(&key), model.contains_key(&key));
        }
        let again: Map = model.iter().map(|(key, value)| (*key, Arc::clone(value))).collect();
        prop_assert_eq!(told(&again, &map), BTreeSet::new(), "nothing differs, though no node is shared");
        prop_assert_eq!(&again, &map);
    }
}

/// Nodes of a map that are not of the other.
fn own_nodes(map: &SharedMap<u32, Arc<u32>>, other: &SharedMap<u32, Arc<u32>>) -> usize {
    fn all(node: &Arc<Node<u32, Arc<u32>>>, found: &mut BTreeSet<*const Node<u32, Arc<u32>>>) {
        found.insert(Arc::as_ptr(node));
        if let Node::Branch(parts) = &**node {
            parts.iter().for_each(|(_, part)| all(part, found));
        }
    }
    let (mut ours, mut theirs) = (BTreeSet::new(), BTreeSet::new());
    all(&map.root, &mut ours);
    all(&other.root, &mut theirs);
    ours.difference(&theirs).count()
}

/// A key that says how often it was compared.
#[derive(Clone, Debug)]
struct Watched(u32);

thread_local! {
    static COMPARED: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

impl PartialEq for Watched {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Watched {}

impl PartialOrd for Watched {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Watched {
    fn cmp(&self, other: &Self) -> Ordering {
        COMPARED.with(|count| count.set(count.get() + 1));
        self.0.cmp(&other.0)
    }
}

#[test]
fn a_change_among_twenty_thousand_copies_a_path_and_its_difference_looks_at_no_more() {
    let scattered = |n: u32| n.wrapping_mul(2_654_435_761);
    let map: SharedMap<u32, Arc<u32>> = (0..20_000).map(|n| (scattered(n), Arc::new(n))).collect();
    for n in 20_000..20_200 {
        let mut next = map.clone();
        assert!(next.is_same_as(&map));
        next.insert(scattered(n), Arc::new(n));
        // A path of four, and what was split off on it.
        assert!(own_nodes(&next, &map) <= 6, "{}", own_nodes(&next, &map));
        next.remove(&scattered(n - 20_000));
        assert!(own_nodes(&next, &map) <= 12, "{}", own_nodes(&next, &map));
    }

    let map: SharedMap<Watched, Arc<u32>> = (0..20_000).map(|n| (Watched(scattered(n)), Arc::new(n))).collect();
    for n in 0..200 {
        let mut next = map.clone();
        next.insert(Watched(scattered(n)), Arc::new(n));
        COMPARED.set(0);
        let mut told = Vec::new();
        map.differing(&next, |value| told.push(*value));
        assert_eq!(told, [n, n]);
        // Four nodes of 32, their neighbours' least keys, and the leaf's entries.
        assert!(COMPARED.get() <= 4 * NODE_MAX as u32, "{}", COMPARED.get());
    }
}

#[test]
fn taking_away_what_is_not_there_copies_nothing() {
    let map: SharedMap<u32, Arc<u32>> = (0..5_000).map(|n| (2 * n, Arc::new(n))).collect();
    let mut next = map.clone();
    assert_eq!(next.remove(&4_001), None);
    assert!(next.is_same_as(&map));
    assert!(SharedMap::<u8, u8>::default().is_same_as(&SharedMap::default()));
}
