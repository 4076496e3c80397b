//! Giving up: one switch that everything in a build looks at.
//!
//! Actions may be called more than once: when the switch is thrown again, or in the very moment of registering.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

type OnCancel = Box<dyn Fn() + Send>;

/// A switch that can be thrown once, from any thread.
#[derive(Clone, Default)]
pub struct Cancel(Arc<Inner>);

#[derive(Default)]
struct Inner {
    thrown: AtomicBool,
    actions: Mutex<Vec<(u64, OnCancel)>>,
    next: std::sync::atomic::AtomicU64,
}

impl Cancel {
    /// Throws the switch: running containers are killed, no step starts any more.
    pub fn cancel(&self) {
        self.0.thrown.store(true, Ordering::SeqCst);
        for (_, action) in self.0.actions.lock().expect("actions do not panic").iter() {
            action();
        }
    }

    /// Whether the switch was thrown.
    pub fn is_cancelled(&self) -> bool {
        self.0.thrown.load(Ordering::SeqCst)
    }

    /// Calls `action` whenever the switch is thrown, and now if it was, until the guard is dropped.
    pub fn on_cancel(&self, action: impl Fn() + Send + 'static) -> CancelGuard {
        let id = self.0.next.fetch_add(1, Ordering::SeqCst);
        let mut actions = self.0.actions.lock().expect("actions do not panic");
        if self.is_cancelled() {
            action();
        }
        actions.push((id, Box::new(action)));
        CancelGuard { cancel: self.clone(), id }
    }
}

/// Keeps an action of [`Cancel::on_cancel`] registered.
pub struct CancelGuard {
    cancel: Cancel,
    id: u64,
}

impl Drop for CancelGuard {
    fn drop(&mut self) {
        self.cancel.0.actions.lock().expect("actions do not panic").retain(|(id, _)| *id != self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[test]
    fn an_action_runs_when_cancelled_and_not_after_its_guard_is_gone() {
        let (cancel, calls) = (Cancel::default(), Arc::new(AtomicUsize::new(0)));
        let count = |calls: &Arc<AtomicUsize>| {
            let calls = Arc::clone(calls);
            move || {
                calls.fetch_add(1, Ordering::SeqCst);
            }
        };
        let kept = cancel.on_cancel(count(&calls));
        drop(cancel.on_cancel(count(&calls)));
        cancel.cancel();
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        drop(kept);
    }

    #[test]
    fn an_action_registered_too_late_runs_at_once() {
        let (cancel, calls) = (Cancel::default(), Arc::new(AtomicUsize::new(0)));
        cancel.cancel();
        let counted = Arc::clone(&calls);
        let _guard = cancel.on_cancel(move || {
            counted.fetch_add(1, Ordering::SeqCst);
        });
        assert_eq!(calls.load(Ordering::SeqCst), 1);
    }
}
