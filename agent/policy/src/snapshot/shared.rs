//! An ordered map whose copies share what they have in common: to copy it costs nothing, a change copies the path to what
//! changes, and a comparison skips what both maps share. So a command costs the same however many members there are.
//!
//! ```text
//! Branch  [ least key, part | least key, part | ... ]     all leaves lie equally deep
//!   Leaf  [ key, value | key, value | ... ]               no node is empty but the one leaf of an empty map
//! ```
//! It knows nothing of what it holds. Why it is our own: docs/decisions/snapshot.md.

mod difference;

use std::borrow::Borrow;
use std::fmt;
use std::ops::Index;
use std::sync::Arc;

/// Entries of a leaf, and parts of a branch, at most: few enough that copying a node at each depth takes about 1 us, many enough
/// that 20,000 members lie three or four nodes deep.
const NODE_MAX: usize = 32;
/// Neighbours that hold no more than this together become one. Less than a full node, so that it is not split at once again.
const JOINED_MAX: usize = NODE_MAX * 3 / 4;

/// The map. A copy is the same map until either is changed.
pub struct SharedMap<K, V> {
    root: Arc<Node<K, V>>,
    len: usize,
}

#[derive(Clone)]
enum Node<K, V> {
    Leaf(Vec<(K, V)>),
    /// Each with a key that is at most its least one and above all keys of the part before.
    Branch(Vec<Part<K, V>>),
}

type Part<K, V> = (K, Arc<Node<K, V>>);

impl<K, V> SharedMap<K, V> {
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether nothing has been changed since one was copied from the other, or both from a third.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.root, &other.root) || (self.is_empty() && other.is_empty())
    }

    /// In the order of the keys.
    pub fn iter(&self) -> Iter<'_, K, V> {
        let mut iter = Iter { branches: Vec::new(), leaf: [].iter(), left: self.len };
        iter.enter(&self.root);
        iter
    }

    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }
}

impl<K: Ord, V> SharedMap<K, V> {
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let mut node = &self.root;
        loop {
            match &**node {
                Node::Branch(parts) => node = &parts[part_of(parts, key)].1,
                Node::Leaf(entries) => return place_of(entries, key).ok().map(|at| &entries[at].1),
            }
        }
    }

    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.get(key).is_some()
    }
}

impl<K: Ord + Clone, V: Clone> SharedMap<K, V> {
    /// The answer is what the key had before.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let (old, right) = insert(&mut self.root, key, value);
        if let Some(right) = right {
            let left = Arc::clone(&self.root);
            self.root = Arc::new(Node::Branch(vec![(left.least().clone(), left), right]));
        }
        self.len += usize::from(old.is_none());
        old
    }

    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        if !self.contains_key(key) {
            return None; // and nothing is copied
        }
        let old = remove(&mut self.root, key);
        while let Node::Branch(parts) = &*self.root {
            match parts.as_slice() {
                [] => self.root = Arc::new(Node::Leaf(Vec::new())),
                [(_, only)] => self.root = Arc::clone(only),
                [_, ..] => break,
            }
        }
        self.len -= usize::from(old.is_some());
        old
    }
}

impl<K, V> Node<K, V> {
    fn len(&self) -> usize {
        match self {
            Self::Leaf(entries) => entries.len(),
            Self::Branch(parts) => parts.len(),
        }
    }

    /// Of a node that is not empty.
    fn least(&self) -> &K {
        match self {
            Self::Leaf(entries) => &entries[0].0,
            Self::Branch(parts) => parts[0].1.least(),
        }
    }
}

/// The part of a branch in which a key is, if it is anywhere.
fn part_of<K: Borrow<Q>, V, Q: Ord + ?Sized>(parts: &[Part<K, V>], key: &Q) -> usize {
    parts.partition_point(|(least, _)| least.borrow() <= key).saturating_sub(1)
}

/// Where a key is in a leaf, or belongs.
fn place_of<K: Borrow<Q>, V, Q: Ord + ?Sized>(entries: &[(K, V)], key: &Q) -> Result<usize, usize> {
    entries.binary_search_by(|(known, _)| known.borrow().cmp(key))
}

/// The answer is what the key had before, and the right half of the node if it had to be split.
fn insert<K: Ord + Clone, V: Clone>(node: &mut Arc<Node<K, V>>, key: K, value: V) -> (Option<V>, Option<Part<K, V>>) {
    match Arc::make_mut(node) {
        Node::Leaf(entries) => match place_of(entries, &key) {
            Ok(at) => (Some(std::mem::replace(&mut entries[at].1, value)), None),
            Err(at) => {
                entries.insert(at, (key, value));
                (None, right_half(entries).map(|(least, right)| (least, Arc::new(Node::Leaf(right)))))
            }
        },
        Node::Branch(parts) => {
            let at = part_of(parts, &key);
            if key < parts[at].0 {
                parts[at].0 = key.clone();
            }
            let (old, right) = insert(&mut parts[at].1, key, value);
            if let Some(right) = right {
                parts.insert(at + 1, right);
            }
            (old, right_half(parts).map(|(least, right)| (least, Arc::new(Node::Branch(right)))))
        }
    }
}

/// Takes the right half of what is too full, and its least key.
fn right_half<K: Clone, T>(held: &mut Vec<(K, T)>) -> Option<(K, Vec<(K, T)>)> {
    if held.len() <= NODE_MAX {
        return None;
    }
    let right = held.split_off(held.len() / 2);
    Some((right[0].0.clone(), right))
}

fn remove<K: Ord + Clone + Borrow<Q>, V: Clone, Q: Ord + ?Sized>(node: &mut Arc<Node<K, V>>, key: &Q) -> Option<V> {
    match Arc::make_mut(node) {
        Node::Leaf(entries) => place_of(entries, key).ok().map(|at| entries.remove(at).1),
        Node::Branch(parts) => {
            let at = part_of(parts, key);
            let old = remove(&mut parts[at].1, key);
            if parts[at].1.len() == 0 {
                parts.remove(at);
            }
            join(parts, at);
            if let Some(before) = at.checked_sub(1) {
                join(parts, before);
            }
            old
        }
    }
}

/// Makes one of a part and the next, if both are there and small.
fn join<K: Clone, V: Clone>(parts: &mut Vec<Part<K, V>>, at: usize) {
    let Some((_, right)) = parts.get(at + 1) else { return };
    if parts[at].1.len() + right.len() > JOINED_MAX {
        return;
    }
    let right = Arc::unwrap_or_clone(parts.remove(at + 1).1);
    match (Arc::make_mut(&mut parts[at].1), right) {
        (Node::Leaf(left), Node::Leaf(right)) => left.extend(right),
        (Node::Branch(left), Node::Branch(right)) => left.extend(right),
        (Node::Leaf(_), Node::Branch(_)) | (Node::Branch(_), Node::Leaf(_)) => {
            unreachable!("all leaves lie equally deep, so neighbours are of one kind")
        }
    }
}

/// See [`SharedMap::iter`].
pub struct Iter<'a, K, V> {
    branches: Vec<std::slice::Iter<'a, Part<K, V>>>,
    leaf: std::slice::Iter<'a, (K, V)>,
    left: usize,
}

impl<'a, K, V> Iter<'a, K, V> {
    fn enter(&mut self, mut node: &'a Node<K, V>) {
        loop {
            match node {
                Node::Leaf(entries) => {
                    self.leaf = entries.iter();
                    return;
                }
                Node::Branch(parts) => {
                    let mut parts = parts.iter();
                    let Some((_, first)) = parts.next() else { return };
                    self.branches.push(parts);
                    node = first;
                }
            }
        }
    }
}

impl<'a, K, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((key, value)) = self.leaf.next() {
                self.left -= 1;
                return Some((key, value));
            }
            match self.branches.last_mut()?.next() {
                Some((_, part)) => self.enter(part),
                None => {
                    self.branches.pop();
                }
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<K, V> Clone for SharedMap<K, V> {
    fn clone(&self) -> Self {
        Self { root: Arc::clone(&self.root), len: self.len }
    }
}

impl<K, V> Default for SharedMap<K, V> {
    fn default() -> Self {
        Self { root: Arc::new(Node::Leaf(Vec::new())), len: 0 }
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for SharedMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<K: PartialEq, V: PartialEq> PartialEq for SharedMap<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.is_same_as(other) || (self.len == other.len && self.iter().eq(other.iter()))
    }
}

impl<K: Eq, V: Eq> Eq for SharedMap<K, V> {}

impl<K: Ord + Borrow<Q>, V, Q: Ord + ?Sized> Index<&Q> for SharedMap<K, V> {
    type Output = V;

    /// # Panics
    /// The key is not there, as with the maps of the standard library.
    fn index(&self, key: &Q) -> &V {
        self.get(key).expect("the key is in the map")
    }
}

impl<K: Ord + Clone, V: Clone> FromIterator<(K, V)> for SharedMap<K, V> {
    fn from_iter<T: IntoIterator<Item = (K, V)>>(entries: T) -> Self {
        let mut map = Self::default();
        entries.into_iter().for_each(|(key, value)| drop(map.insert(key, value)));
        map
    }
}

#[cfg(test)]
mod tests;
