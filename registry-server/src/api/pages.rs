//! What the server says beside the protocol: whether it is well, what it has counted, and tokens.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, header};

use super::refusal::Refusal;
use super::request_body::RequestBody;
use super::{Answer, Registry, json};
use crate::exchange::Exchange;
use crate::storage::Storage;

impl Registry {
    /// The answer to what is none of the protocol's requests; `None` for those that are.
    pub(super) async fn own_page(&self, parts: &Parts, body: &mut RequestBody) -> Option<Answer> {
        let is_read = matches!(parts.method, Method::GET | Method::HEAD);
        match parts.uri.path() {
            "/token" => Some(self.give_token(parts, body).await),
            "/healthz" if is_read => Some(self.health().await),
            "/metrics" if is_read => Some(self.metrics(parts).await),
            "/healthz" | "/metrics" => {
                let message = format!("{} is not possible here", parts.method);
                Some(Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", message)
                    .with_header(header::ALLOW, "GET, HEAD")))
            }
            _ => None,
        }
    }

    /// 200 while the registry can be used; 503 when it ends, or when its folder cannot be read.
    async fn health(&self) -> Answer {
        if self.guard.is_stopping.load(Ordering::Relaxed) {
            return Err(Refusal::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "UNAVAILABLE",
                "the registry is stopping",
            ));
        }
        match self.blocking(Storage::is_well).await {
            Ok(()) => Ok(json(StatusCode::OK, "{\"status\":\"ok\"}")),
            Err(_) => {
                let message = "the registry cannot read its folder";
                Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", message))
            }
        }
    }

    /// Counts of everybody's requests: for users, where there are some.
    async fn metrics(&self, parts: &Parts) -> Answer {
        if !self.options.access.open_metrics && self.guard.gate.accounts.is_some() {
            let authorization = parts.headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
            let caller = self.guard.gate.identify(authorization).await;
            let caller = caller.map_err(|stopped| self.stopped(stopped, parts, &[]))?;
            let Some(user) = &caller.user else {
                self.guard.metrics.stopped();
                // Whoever reads metrics knows passwords, and no tokens.
                return Err(Refusal::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "metrics are for users")
                    .with_header(
                        header::WWW_AUTHENTICATE,
                        "Basic realm=\"tug registry\", charset=\"UTF-8\"",
                    ));
            };
            if let Some(exchange) = parts.extensions.get::<Arc<Exchange>>() {
                exchange.is_of(user);
            }
        }
        let text = self.guard.metrics.text(self.guard.connections.open());
        let mut response = json(StatusCode::OK, text);
        let own_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, own_type);
        Ok(response)
    }
}
