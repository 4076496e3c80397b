//! The sessions that are open, so that none is left behind, and what was learned of hosts.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::future::join_all;
use http::Method;
use reqwest::Url;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use super::location;
use super::quirks::Quirks;
use crate::auth::Scope;
use crate::client::{Call, Client, Place};

/// What all uploads of a client share.
#[derive(Default)]
pub(crate) struct Uploads {
    state: Mutex<State>,
    /// A session is no longer there.
    closed: Notify,
    /// How often all uploads were cancelled.
    stops: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    next: u64,
    sessions: HashMap<u64, Open>,
    quirks: HashMap<String, Quirks>,
}

struct Open {
    place: Place,
    url: Url,
    /// Somebody is deleting it.
    is_ending: bool,
}

impl Client {
    /// Ends all uploads that run ([`Kind::Cancelled`](crate::Kind::Cancelled)) and deletes their sessions at the
    /// registries, with those of uploads whose futures were dropped. To be waited for before the program ends; it
    /// takes no longer than a connection may take.
    pub async fn cancel_uploads(&self) {
        self.uploads().stops.send_modify(|count| *count += 1);
        let all: Vec<u64> = self.uploads().lock().sessions.keys().copied().collect();
        join_all(all.into_iter().map(|number| self.end_session(number))).await;
        // Those that were given up a moment ago are being deleted by tasks of their own.
        let _ = timeout(self.limits().connect, self.uploads().none_is_left()).await;
    }

    /// Deletes a session, unless somebody does already. Whether the registry obeys makes no difference.
    pub(super) async fn end_session(&self, number: u64) {
        let Some((place, url)) = self.uploads().take(number) else { return };
        let deleting = async {
            if !self.delete_session(&place, url.clone()).await {
                // A session whose request broke off may be found at another place only: distribution 3.
                let call = Call::new(Method::GET, url, vec![Scope::push(place.name())]);
                let answer = self.call(&place, Call { attempts: 1, ..call }).await.ok()?;
                let moved = location::of(&place, &answer).ok()?.filter(|_| answer.status.is_success())?;
                self.delete_session(&place, moved).await;
            }
            Some(())
        };
        let _ = timeout(self.limits().connect, deleting).await;
        self.uploads().remove(number);
    }

    async fn delete_session(&self, place: &Place, url: Url) -> bool {
        let call = Call::new(Method::DELETE, url, vec![Scope::push(place.name())]);
        let answer = self.call(place, Call { attempts: 1, ..call }).await;
        answer.is_ok_and(|answer| answer.status.is_success())
    }
}

impl Uploads {
    pub(super) fn add(&self, place: &Place, url: &Url) -> u64 {
        let mut state = self.lock();
        state.next += 1;
        let number = state.next;
        let open = Open { place: place.clone(), url: url.clone(), is_ending: false };
        state.sessions.insert(number, open);
        number
    }

    /// The session goes on elsewhere.
    pub(super) fn moved(&self, number: u64, url: &Url) {
        if let Some(open) = self.lock().sessions.get_mut(&number) {
            open.url.clone_from(url);
        }
    }

    /// The session has come to its end.
    pub(super) fn remove(&self, number: u64) {
        self.lock().sessions.remove(&number);
        self.closed.notify_waiters();
    }

    /// Whether the session is there, and nobody is deleting it.
    pub(super) fn is_open(&self, number: u64) -> bool {
        self.lock().sessions.get(&number).is_some_and(|open| !open.is_ending)
    }

    fn take(&self, number: u64) -> Option<(Place, Url)> {
        let mut state = self.lock();
        let open = state.sessions.get_mut(&number).filter(|open| !open.is_ending)?;
        open.is_ending = true;
        Some((open.place.clone(), open.url.clone()))
    }

    /// Comes back when all uploads are to end.
    pub(super) fn stopped(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut stops = self.stops.subscribe();
        async move {
            if stops.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    async fn none_is_left(&self) {
        loop {
            let closed = self.closed.notified();
            let mut closed = std::pin::pin!(closed);
            closed.as_mut().enable();
            if self.lock().sessions.is_empty() {
                return;
            }
            closed.await;
        }
    }

    /// What is known of the host.
    pub(super) fn quirks(&self, place: &Place) -> Quirks {
        let known = self.lock().quirks.get(&place.authority()).cloned();
        known.unwrap_or_else(|| Quirks::of(&place.endpoint.address))
    }

    /// The host has shown what it cannot do.
    pub(super) fn learn(&self, place: &Place, change: impl FnOnce(&mut Quirks)) {
        let mut state = self.lock();
        let known = state.quirks.entry(place.authority());
        change(known.or_insert_with(|| Quirks::of(&place.endpoint.address)));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
