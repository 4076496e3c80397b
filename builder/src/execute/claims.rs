//! Who does the work of a key: of several steps of one build that have the same key, one.
//!
//! Two stages may begin with the same steps. Done twice, they would give two layers that differ in their times, and
//! everything behind would be built twice, now and at the next build.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use tug_oci::Digest;

use crate::record::StepResult;

/// What became of each key so far.
#[derive(Default)]
pub(crate) struct Claims {
    /// `None` while somebody is at work.
    keys: Mutex<HashMap<Digest, Option<StepResult>>>,
    changed: Condvar,
}

/// What a claim came to.
pub(super) enum Claimed<'a> {
    /// The work is ours.
    Ours(Claim<'a>),
    /// Another step of this build has this result.
    Known(Box<StepResult>),
}

/// The right to do the work of a key. Others get it when this one is dropped without a result.
pub(super) struct Claim<'a> {
    claims: &'a Claims,
    key: Option<Digest>,
}

impl Claims {
    /// Claims `key`, waiting for whoever has it.
    pub(super) fn claim(&self, key: Digest) -> Claimed<'_> {
        let mut keys = self.lock();
        loop {
            match keys.get(&key) {
                None => {
                    keys.insert(key.clone(), None);
                    return Claimed::Ours(Claim { claims: self, key: Some(key) });
                }
                Some(Some(result)) => return Claimed::Known(Box::new(result.clone())),
                Some(None) => keys = self.changed.wait(keys).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, Option<StepResult>>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claim<'_> {
    /// Gives the result to all who wait for it.
    pub(super) fn fulfil(mut self, result: &StepResult) {
        if let Some(key) = self.key.take() {
            self.claims.lock().insert(key, Some(result.clone()));
            self.claims.changed.notify_all();
        }
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.claims.lock().remove(&key);
            self.claims.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use tug_oci::DiffId;

    use super::*;

    fn result() -> StepResult {
        let layer = DiffId::new(Digest::of(b"layer"));
        StepResult {
            layer,
            size: 1,
            created: String::new(),
            build: String::new(),
            made: String::new(),
            seconds: 0.0,
            blob: None,
            full_key: None,
        }
    }

    #[test]
    fn one_does_the_work_and_the_others_get_its_result() {
        let claims = Claims::default();
        let worked = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| match claims.claim(Digest::of(b"key")) {
                    Claimed::Known(known) => assert_eq!(*known, result()),
                    Claimed::Ours(claim) => {
                        worked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                        claim.fulfil(&result());
                    }
                });
            }
        });
        assert_eq!(worked.into_inner(), 1);
    }

    #[test]
    fn the_work_of_who_gives_up_is_done_by_the_next() {
        let claims = Claims::default();
        drop(claims.claim(Digest::of(b"key")));
        assert!(matches!(claims.claim(Digest::of(b"key")), Claimed::Ours(_)));
    }
}
