//! The pause between two attempts, or the end of trying: one policy for every request.

use std::time::Duration;

use super::Transport;
use crate::error::{Error, Kind};
use crate::event::Event;
use crate::retry;

/// Attempts where no connection comes about.
const FEW: u32 = 3;

impl Transport {
    /// After failure number `count` of at most `attempts`: waits as long as is right, or returns the error.
    ///
    /// What the registry asks for counts for all requests to it. More patience than the limits allow is an error that
    /// says so.
    pub(crate) async fn rest(
        &self,
        authority: &str,
        request: &str,
        error: Error,
        count: u32,
        attempts: u32,
    ) -> Result<(), Error> {
        // A name that is not known, a port where nobody listens: that seldom passes.
        let attempts = if error.is_apart() { attempts.min(FEW) } else { attempts };
        if !error.may_pass() || count >= attempts {
            return Err(error);
        }
        let limits = &self.options().limits;
        if let Some(wait) = error.wait() {
            if wait > limits.longest_wait {
                return Err(error);
            }
            self.close(authority, wait.max(Duration::from_millis(10)));
        } else if error.kind() == Kind::RateLimited {
            self.close(authority, retry::pause(limits, count));
        } else {
            self.pause(authority, request, &error, count).await;
        }
        self.gate(authority).pass().await;
        Ok(())
    }

    /// Tells of failure number `count` and waits as long as is right, for those who try in another way.
    pub(crate) async fn pause(&self, authority: &str, request: &str, error: &Error, count: u32) {
        let wait = retry::pause(&self.options().limits, count);
        let reason = error.to_string();
        // Many requests at once may meet the same trouble; it is told once.
        let trouble = if error.is_apart() { String::new() } else { reason.clone() };
        if self.gate(authority).is_news(trouble, wait) {
            let (host, request) = (authority.to_owned(), request.to_owned());
            self.tell(Event::Retrying { host, request, reason, wait });
        }
        tokio::time::sleep(wait).await;
    }

    fn close(&self, authority: &str, wait: Duration) {
        if self.gate(authority).close(wait) {
            self.tell(Event::Throttled { host: authority.to_owned(), wait });
        }
    }
}
