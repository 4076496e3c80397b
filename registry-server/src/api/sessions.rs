//! That only one request at a time writes to an upload: the newest.
//!
//! A client whose connection was cut comes back before we have noticed the cut. The older request then stops where it
//! is, and the new one goes on from there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;
use tokio_util::sync::CancellationToken;

use crate::names::UploadId;
use crate::storage::Progress;

/// The uploads that this server has written to.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<HashMap<UploadId, Arc<Session>>>);

#[derive(Debug, Default)]
struct Session {
    /// Ends the request that writes now.
    current: Mutex<CancellationToken>,
    /// What is known of the upload from its last request.
    progress: Arc<tokio::sync::Mutex<Option<Progress>>>,
}

/// That a request may write to an upload.
#[derive(Debug)]
pub(super) struct Turn {
    /// What is known of the upload. Whoever stops writing leaves it here.
    pub(super) progress: OwnedMutexGuard<Option<Progress>>,
    /// Set when a newer request wants to write.
    pub(super) over: CancellationToken,
}

impl Sessions {
    /// Waits until the request that writes to `id` has stopped.
    pub(super) async fn take_over(&self, id: &UploadId) -> Turn {
        let session = Arc::clone(self.lock().entry(id.clone()).or_default());
        let over = CancellationToken::new();
        {
            let mut current = session.current.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *current, over.clone()).cancel();
        }
        let progress = Arc::clone(&session.progress).lock_owned().await;
        Turn { progress, over }
    }

    /// Forgets an upload that has ended.
    pub(super) fn forget(&self, id: &UploadId) {
        self.lock().remove(id);
    }

    /// Forgets all uploads that `is_there` does not know.
    pub(super) fn retain(&self, is_there: impl Fn(&UploadId) -> bool) {
        self.lock().retain(|id, _| is_there(id));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<UploadId, Arc<Session>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
