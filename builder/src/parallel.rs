//! Does the same to many things, by several threads at once.

use std::sync::{Mutex, PoisonError};

/// Calls `work` for each of `items`, in up to `threads` threads, this one included. After an error nothing more is
/// begun; the first one is returned.
pub(crate) fn each<T: Send, E: Send>(
    threads: usize,
    items: impl Iterator<Item = T> + Send,
    work: impl Fn(T) -> Result<(), E> + Sync,
) -> Result<(), E> {
    let items = Mutex::new(Some(items));
    let failure = Mutex::new(None);
    let next = || items.lock().unwrap_or_else(PoisonError::into_inner).as_mut()?.next();
    let run = || {
        while let Some(item) = next() {
            if let Err(error) = work(item) {
                *items.lock().unwrap_or_else(PoisonError::into_inner) = None;
                failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(run);
        }
        run();
    });
    failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}

/// How many threads are worth starting for work that needs the processor, at most `most`.
pub(crate) fn threads(most: usize) -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(most).max(1)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn each_thing_is_done_once() {
        let sum = AtomicUsize::new(0);
        let add = |number| {
            sum.fetch_add(number, Ordering::Relaxed);
            Ok::<(), ()>(())
        };
        each(4, 1..=100, add).unwrap();
        assert_eq!(sum.into_inner(), 5050);
    }

    #[test]
    fn nothing_is_begun_after_an_error() {
        let done = AtomicUsize::new(0);
        let result = each(1, 0..100, |number| {
            done.fetch_add(1, Ordering::Relaxed);
            if number == 3 { Err(number) } else { Ok(()) }
        });
        assert_eq!((result, done.into_inner()), (Err(3), 4));
    }
}
