//! Threads that compress, shared by all streams of the process.
//!
//! A push compresses many layers at once. Were each to have threads and buffers of its own, memory would grow with the
//! product of both. So there are as many threads as processors, and a bound on the blocks that are in somebody's hands: a
//! stream that wants one more takes its own results first, and one that has none may always have one, so that no stream
//! waits for another.
//!
//! The threads end with the last stream that uses them.

use std::any::Any;
use std::collections::VecDeque;
use std::io;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};

/// More hardly help: whoever hands out the work has to read and to hash it.
const MOST_THREADS: usize = 8;
/// So many blocks wait for a thread, or for their stream to write them.
const WAITING: usize = 2;

static SHARED: Mutex<Weak<Pool>> = Mutex::new(Weak::new());

/// Some threads, and what they have to do.
pub(crate) struct Pool {
    shared: Arc<Shared>,
    most_in_hand: usize,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    work: VecDeque<Box<dyn FnOnce() + Send>>,
    in_hand: usize,
    has_ended: bool,
}

impl Pool {
    /// The threads of this process; `None` where there is one processor, or no thread to be had.
    pub(crate) fn shared() -> Option<Arc<Self>> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = shared.upgrade() {
            return Some(pool);
        }
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        let pool = if processors > 1 { Self::start(processors) } else { None }?;
        *shared = Arc::downgrade(&pool);
        Some(pool)
    }

    /// Threads of one's own.
    pub(crate) fn start(threads: usize) -> Option<Arc<Self>> {
        let shared = Arc::new(Shared::default());
        let started = (0..threads.min(MOST_THREADS)).filter(|_| {
            let shared = Arc::clone(&shared);
            let builder = std::thread::Builder::new().name("compress".to_owned());
            builder.spawn(move || shared.work()).is_ok()
        });
        let started = started.count();
        (started > 0).then(|| Arc::new(Self { shared, most_in_hand: started + WAITING }))
    }

    /// Room for one more block. Whoever has none in hand always gets it.
    fn room(self: &Arc<Self>, has_none: bool) -> Option<Room> {
        let mut state = self.shared.state();
        if !has_none && state.in_hand >= self.most_in_hand {
            return None;
        }
        state.in_hand += 1;
        Some(Room(Arc::clone(self)))
    }

    fn give(&self, work: Box<dyn FnOnce() + Send>) {
        self.shared.state().work.push_back(work);
        self.shared.changed.notify_one();
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.state().has_ended = true;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        loop {
            let mut state = self.state();
            let work = loop {
                if let Some(work) = state.work.pop_front() {
                    break work;
                }
                if state.has_ended {
                    return;
                }
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            };
            drop(state);
            // Whoever waits for the result notices that there is none; the thread goes on for the others.
            let _: Result<(), Box<dyn Any + Send>> = catch_unwind(AssertUnwindSafe(work));
        }
    }
}

struct Room(Arc<Pool>);

impl Drop for Room {
    fn drop(&mut self) {
        self.0.shared.state().in_hand -= 1;
    }
}

/// Work of one stream, whose results come in the order in which it was given.
pub(crate) struct InOrder<T> {
    pool: Option<Arc<Pool>>,
    pending: VecDeque<(Room, Receiver<T>)>,
}

impl<T: Send + 'static> InOrder<T> {
    /// Work for `pool`; without one it is done by whoever gives it.
    pub(crate) fn new(pool: Option<Arc<Pool>>) -> Self {
        Self { pool, pending: VecDeque::new() }
    }

    /// Gives work. Results that are to be taken first go to `done`.
    pub(crate) fn give(
        &mut self,
        work: impl FnOnce() -> T + Send + 'static,
        done: &mut dyn FnMut(T) -> io::Result<()>,
    ) -> io::Result<()> {
        let Some(pool) = &self.pool else { return done(work()) };
        let room = loop {
            match pool.room(self.pending.is_empty()) {
                Some(room) => break room,
                None => {
                    if let Some((room, oldest)) = self.pending.pop_front() {
                        done(received(&oldest)?)?;
                        drop(room);
                    }
                }
            }
        };
        let (answer, result) = sync_channel(1);
        pool.give(Box::new(move || {
            let _ = answer.send(work());
        }));
        self.pending.push_back((room, result));
        Ok(())
    }

    /// Waits for all results.
    pub(crate) fn finish(&mut self, done: &mut dyn FnMut(T) -> io::Result<()>) -> io::Result<()> {
        while let Some((_room, oldest)) = self.pending.pop_front() {
            done(received(&oldest)?)?;
        }
        Ok(())
    }
}

fn received<T>(result: &Receiver<T>) -> io::Result<T> {
    result.recv().map_err(|_| io::Error::other("a thread that compresses has ended"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_and_only_so_many_are_in_hand() {
        let pool = Pool::start(3).unwrap();
        let (mut one, mut other) =
            (InOrder::new(Some(Arc::clone(&pool))), InOrder::new(Some(Arc::clone(&pool))));
        let mut results = Vec::new();
        for number in 0..100 {
            one.give(move || number, &mut |number| {
                results.push(number);
                Ok(())
            })
            .unwrap();
            assert!(pool.shared.state().in_hand <= 3 + WAITING + 1);
            if number == 50 {
                other.give(|| 0, &mut |_| Ok(())).unwrap();
            }
        }
        one.finish(&mut |number| {
            results.push(number);
            Ok(())
        })
        .unwrap();
        assert_eq!(results, (0..100).collect::<Vec<_>>());
        drop((one, other));
        assert_eq!(pool.shared.state().in_hand, 0);
    }

    #[test]
    fn work_that_panics_is_an_error_and_the_threads_go_on() {
        let mut work = InOrder::new(Pool::start(1));
        work.give(|| panic!("this is part of the test"), &mut |(): ()| Ok(())).unwrap();
        assert!(work.finish(&mut |()| Ok(())).is_err());
        let mut is_done = false;
        work.give(|| (), &mut |()| Ok(())).unwrap();
        work.finish(&mut |()| {
            is_done = true;
            Ok(())
        })
        .unwrap();
        assert!(is_done);
    }
}
