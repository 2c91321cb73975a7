//! What differs between two maps: both are walked side by side in the order of the keys, and a node that both have is passed by.
//! Nodes are opened only where keys do not line up or where the maps differ.

use super::{Node, SharedMap};
use std::cmp::Ordering;
use std::sync::Arc;

impl<K: Ord, V> SharedMap<K, Arc<V>> {
    /// Calls `tell` with every value that is in one map and not, as the same value, in the other. What the maps share is not
    /// looked at, so this takes as long as there were changes between them.
    pub fn differing(&self, other: &Self, mut tell: impl FnMut(&V)) {
        let (mut ours, mut theirs) = (Rest::of(self), Rest::of(other));
        loop {
            match (ours.first(), theirs.first()) {
                (None, None) => return,
                (Some(_), None) => ours.advance().into_iter().for_each(&mut tell),
                (None, Some(_)) => theirs.advance().into_iter().for_each(&mut tell),
                (Some(our), Some(their)) => match our.least().cmp(their.least()) {
                    Ordering::Less => ours.advance().into_iter().for_each(&mut tell),
                    Ordering::Greater => theirs.advance().into_iter().for_each(&mut tell),
                    Ordering::Equal if our.is_same_as(their) => {
                        ours.0.pop();
                        theirs.0.pop();
                    }
                    Ordering::Equal => {
                        // An entry waits until the other map shows its own of this key.
                        let (our, their) = match (our, their) {
                            (Item::Node(_), Item::Entry(..)) => (ours.advance(), None),
                            (Item::Entry(..), Item::Node(_)) => (None, theirs.advance()),
                            (Item::Node(_), Item::Node(_)) | (Item::Entry(..), Item::Entry(..)) => {
                                (ours.advance(), theirs.advance())
                            }
                        };
                        our.into_iter().chain(their).for_each(&mut tell);
                    }
                },
            }
        }
    }
}

/// What of a map is still to be compared; what comes first stands last.
struct Rest<'a, K, V>(Vec<Item<'a, K, V>>);

enum Item<'a, K, V> {
    Node(&'a Arc<Node<K, Arc<V>>>),
    Entry(&'a K, &'a Arc<V>),
}

impl<K, V> Clone for Item<'_, K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V> Copy for Item<'_, K, V> {}

impl<'a, K, V> Item<'a, K, V> {
    fn least(self) -> &'a K {
        match self {
            Self::Node(node) => node.least(),
            Self::Entry(key, _) => key,
        }
    }

    /// Of two that begin with the same key.
    fn is_same_as(self, other: Self) -> bool {
        match (self, other) {
            (Self::Node(one), Self::Node(other)) => Arc::ptr_eq(one, other),
            (Self::Entry(_, one), Self::Entry(_, other)) => Arc::ptr_eq(one, other),
            (Self::Node(_), Self::Entry(..)) | (Self::Entry(..), Self::Node(_)) => false,
        }
    }
}

impl<'a, K, V> Rest<'a, K, V> {
    fn of(map: &'a SharedMap<K, Arc<V>>) -> Self {
        Self(if map.is_empty() { Vec::new() } else { vec![Item::Node(&map.root)] })
    }

    fn first(&self) -> Option<Item<'a, K, V>> {
        self.0.last().copied()
    }

    /// Takes an entry's value; puts in the place of a node what it holds.
    fn advance(&mut self) -> Option<&'a V> {
        match self.0.pop()? {
            Item::Entry(_, value) => return Some(value),
            Item::Node(node) => match &**node {
                Node::Leaf(entries) => self.0.extend(entries.iter().rev().map(|(key, value)| Item::Entry(key, value))),
                Node::Branch(parts) => self.0.extend(parts.iter().rev().map(|(_, part)| Item::Node(part))),
            },
        }
        None
    }
}
