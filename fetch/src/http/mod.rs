//! A file over http or https.
//!
//! | what may happen                         | what is done                                                              |
//! | --------------------------------------- | ------------------------------------------------------------------------- |
//! | reset, stall, 408, 425, 429, 5xx        | tried again, later each time, or when `Retry-After` says                  |
//! | a connection that breaks midway         | taken up where it broke if the server can, else begun anew                |
//! | a redirect                              | followed, ten at most; never to another scheme, never from https to http  |
//! | … to another host                       | without the credentials of the first                                      |
//! | nothing has changed since the last time | told as such: `ETag` and `Last-Modified` are sent along                   |
//! | more bytes than allowed                 | an error, before they are written                                         |
//! | nothing comes                           | an error after [`HttpOptions::idle`]; there is no limit for the whole     |

mod attempt;
mod options;
mod retry;
mod roots;
mod url;

#[cfg(test)]
mod tests;

use std::io::Write;

use ureq::Agent;

use crate::error::Error;
use crate::stop::Stop;
use attempt::{Attempt, Ended};

pub use options::{Credential, HttpOptions, Proxies};
pub(crate) use url::shown;
pub use url::{HttpUrl, UrlError, hide};

/// Takes what comes. When a transfer has to begin anew, what was written so far is thrown away.
pub trait Sink: Write {
    /// Forgets everything that was written.
    fn restart(&mut self) -> std::io::Result<()>;
}

/// What is known of a file from an earlier time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// `ETag`, as the server sent it.
    pub etag: Option<String>,
    /// `Last-Modified`, as the server sent it.
    pub last_modified: Option<String>,
}

/// What a request came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The file is what it was when [`Known`] was told.
    Unchanged,
    /// It was written to the sink.
    Fetched(Fetched),
}

/// A file that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// How many bytes.
    pub size: u64,
    /// What tells this content from others.
    pub known: Known,
    /// `Last-Modified`, in seconds since 1970.
    pub modified: Option<i64>,
}

/// Fetches files. One client may be used by many threads.
#[derive(Debug)]
pub struct Client {
    options: HttpOptions,
}

impl Client {
    /// A client that does as `options` say.
    pub fn new(options: HttpOptions) -> Self {
        Self { options }
    }

    /// The options it was made with.
    pub fn options(&self) -> &HttpOptions {
        &self.options
    }

    /// Fetches `url` into `sink`, unless it is still as `known`.
    pub fn get(
        &self,
        url: &HttpUrl,
        known: &Known,
        sink: &mut dyn Sink,
        stop: &Stop,
    ) -> Result<Outcome, Error> {
        let agent = self.agent()?;
        let _watch = {
            let agent = agent.clone();
            stop.watch(move || agent.shutdown())
        };
        let mut attempt = Attempt::new(&agent, &self.options, url, known);
        let mut count = 1;
        loop {
            let ended = attempt.run(sink, stop);
            if stop.is_stopped() {
                return Err(Error::Stopped);
            }
            match ended {
                Ok(outcome) => return Ok(outcome),
                Err(Ended::Final(error)) => return Err(error),
                Err(Ended::Again { after, error }) => {
                    if count >= self.options.attempts {
                        return Err(retry::counted(error, count));
                    }
                    let Some(wait) = retry::wait(&self.options, count, after) else {
                        return Err(retry::counted(error, count));
                    };
                    stop.sleep(wait);
                    count += 1;
                }
            }
        }
    }

    fn agent(&self) -> Result<Agent, Error> {
        let options = &self.options;
        let tls = ureq::tls::TlsConfig::builder()
            .provider(ureq::tls::TlsProvider::Rustls)
            .root_certs(roots::trusted(options)?)
            .unversioned_rustls_crypto_provider(std::sync::Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .tls_config(tls)
            .user_agent(options.user_agent.as_str())
            .accept("*/*")
            .timeout_resolve(Some(options.idle))
            .timeout_connect(Some(options.idle))
            .timeout_per_read(Some(options.idle))
            .timeout_per_write(Some(options.idle))
            .build();
        Ok(config.new_agent())
    }
}
