//! Many who want the same at the same time: one asks, and all get the answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};

use super::lock;

/// Work that several wait for; `None` when it has panicked.
type Flight<T> = Shared<BoxFuture<'static, Option<T>>>;

/// What is under way, by the name of what is wanted.
pub(super) struct Flights<T: Clone>(Arc<Mutex<HashMap<String, Flight<T>>>>);

impl<T: Clone> Default for Flights<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

/// Takes a name off the list, also when the work has panicked.
struct Landing<T: Clone>(Flights<T>, String);

impl<T: Clone> Drop for Landing<T> {
    fn drop(&mut self) {
        lock(&self.0.0).remove(&self.1);
    }
}

impl<T: Clone + Send + Sync + 'static> Flights<T> {
    /// What `work` gives, or what the one who is at it already will get. The work goes on when those who wait leave.
    /// `None` when it has panicked.
    pub(super) async fn join<F>(&self, key: String, work: impl FnOnce() -> F) -> Option<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let flight = {
            let mut flights = lock(&self.0);
            match flights.get(&key) {
                Some(flight) => flight.clone(),
                None => {
                    let landing = Landing(Self(Arc::clone(&self.0)), key.clone());
                    let work = work();
                    let task = tokio::spawn(async move {
                        let done = work.await;
                        drop(landing);
                        done
                    });
                    let flight = async move { task.await.ok() }.boxed().shared();
                    flights.insert(key, flight.clone());
                    flight
                }
            }
        };
        flight.await
    }
}
