//! What waits for a writer's thread. It is woken for the first of a batch and for what is urgent, not for each: a decision on
//! its way into history must not cost more than the decision.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Bounded; many put into it and one takes.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    wake: Condvar,
    max: usize,
}

#[derive(Debug)]
struct State<T> {
    waiting: VecDeque<T>,
    /// How many of them do not want to wait for company; they are taken with all that came before them.
    urgent: usize,
    /// Nothing is put into it any more.
    closed: bool,
    /// As many as the taker sleeps for; 0 while it is awake.
    wanted: usize,
}

/// Why something was not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Full,
    Closed,
}

/// What is taken together.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Taken<T> {
    pub batch: Vec<T>,
    /// Nothing is left, and nothing will come.
    pub ended: bool,
}

impl<T> Queue<T> {
    pub fn new(max: usize) -> Self {
        let state = State { waiting: VecDeque::new(), urgent: 0, closed: false, wanted: 0 };
        Self { state: Mutex::new(state), wake: Condvar::new(), max }
    }

    /// Never waits; hands back what it does not take in.
    pub fn put(&self, item: T, is_urgent: bool) -> Result<(), (T, Refusal)> {
        let mut state = self.lock();
        if state.closed {
            return Err((item, Refusal::Closed));
        }
        if state.waiting.len() >= self.max {
            return Err((item, Refusal::Full));
        }
        state.waiting.push_back(item);
        state.urgent += usize::from(is_urgent);
        let wakes = state.wanted > 0 && (is_urgent || state.waiting.len() >= state.wanted);
        if wakes {
            state.wanted = 0; // once is enough
        }
        drop(state);
        if wakes {
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Nothing is taken in from now on; what lies here can still be taken out.
    pub fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_one();
    }

    /// Waits up to `patience` for something, then up to `linger` for its company until there are `max`, unless something urgent
    /// lies here or comes. Up to `max` items in the order in which they were put; none after `patience`.
    pub fn take(&self, max: usize, linger: Duration, patience: Duration) -> Taken<T> {
        let state = self.sleep(self.lock(), patience, 1);
        let linger = if state.waiting.is_empty() { Duration::ZERO } else { linger };
        let mut state = self.sleep(state, linger, max);
        let count = state.waiting.len().min(max);
        let batch: Vec<T> = state.waiting.drain(..count).collect();
        // Which ones were urgent is not kept, so those that are left are taken next as if they were: they have waited.
        state.urgent = if state.urgent > 0 { state.waiting.len() } else { 0 };
        Taken { batch, ended: state.closed && state.waiting.is_empty() }
    }

    /// Until there are `wanted` items, something is urgent, it is closed, or the time is over.
    fn sleep<'a>(
        &'a self,
        mut state: MutexGuard<'a, State<T>>,
        at_most: Duration,
        wanted: usize,
    ) -> MutexGuard<'a, State<T>> {
        let until = Instant::now() + at_most;
        while state.waiting.len() < wanted && state.urgent == 0 && !state.closed {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state.wanted = wanted;
            state = self.wake.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
            state.wanted = 0;
        }
        state
    }

    /// Whoever panicked did not leave a half-made change: each is one step.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::thread;

    /// So long that a test which waits for it hangs.
    const LONG: Duration = Duration::from_secs(3_600);

    #[test]
    fn what_waits_is_taken_in_order_and_up_to_a_batch() {
        let queue = Queue::new(8);
        (0..5).for_each(|n| queue.put(n, false).expect("room"));
        assert_eq!(queue.take(3, LONG, LONG), Taken { batch: vec![0, 1, 2], ended: false });
        queue.close();
        assert_eq!(queue.put(5, false), Err((5, Refusal::Closed)));
        assert_eq!(queue.take(3, LONG, LONG), Taken { batch: vec![3, 4], ended: true });
    }

    #[test]
    fn it_is_bounded() {
        let queue = Queue::new(2);
        (0..2).for_each(|n| queue.put(n, false).expect("room"));
        assert_eq!(queue.put(2, true), Err((2, Refusal::Full)));
        assert_eq!(queue.take(2, LONG, LONG).batch, [0, 1]);
        queue.put(2, false).expect("room again");
    }

    #[test]
    fn nothing_comes_after_the_patience() {
        let queue = Queue::<u8>::new(2);
        assert_eq!(queue.take(2, LONG, Duration::from_millis(1)), Taken { batch: vec![], ended: false });
    }

    #[test]
    fn what_is_urgent_waits_for_no_company_and_takes_along_what_lies_before_it() {
        let queue = Arc::new(Queue::new(8));
        let taker = thread::spawn({
            let queue = Arc::clone(&queue);
            move || [queue.take(4, LONG, LONG), queue.take(4, LONG, LONG)]
        });
        queue.put(1, false).expect("room");
        queue.put(2, true).expect("room");
        queue.put(3, true).expect("room");
        queue.close();
        let taken = taker.join().expect("no panic");
        let all: Vec<i32> = taken.iter().flat_map(|taken| taken.batch.clone()).collect();
        assert_eq!(all, [1, 2, 3]);
        assert!(taken[1].ended);
    }

    #[test]
    fn what_was_urgent_and_found_no_place_in_a_batch_comes_with_the_next() {
        let queue = Queue::new(8);
        (0..3).for_each(|n| queue.put(n, n == 2).expect("room"));
        assert_eq!(queue.take(2, LONG, LONG).batch, [0, 1]);
        assert_eq!(queue.take(2, LONG, LONG).batch, [2]);
    }

    #[test]
    fn nothing_that_many_put_is_lost_or_doubled() {
        const EACH: usize = 5_000;
        let queue = Arc::new(Queue::new(64));
        let putters: Vec<_> = (0..3)
            .map(|putter| {
                let queue = Arc::clone(&queue);
                thread::spawn(move || {
                    for n in 0..EACH {
                        let mut item = (putter, n);
                        while let Err((refused, Refusal::Full)) = queue.put(item, n % 7 == 0) {
                            item = refused;
                            thread::yield_now();
                        }
                    }
                })
            })
            .collect();
        let mut next = [0; 3];
        while next != [EACH; 3] {
            // The last ones may not be urgent and fewer than a batch: a millisecond of linger ends the wait for company.
            for (putter, n) in queue.take(16, Duration::from_millis(1), LONG).batch {
                assert_eq!(n, next[putter]);
                next[putter] += 1;
            }
        }
        putters.into_iter().for_each(|putter| putter.join().expect("no panic"));
    }
}
