//! Failures in words: of a connection, and of an answer.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use http::StatusCode;
use rustls::AlertDescription;
use serde::Deserialize;

use super::answer::Answer;
use crate::error::{Error, Kind};
use crate::retry;
use crate::text::shown;

/// Why no answer came, or its body broke off.
pub(crate) fn of_request(request: &str, error: &reqwest::Error) -> Error {
    let causes =
        || std::iter::successors(error.source(), |cause: &&(dyn StdError + 'static)| (*cause).source());
    if let Some(tls) = causes().find_map(within) {
        return of_tls(request, tls);
    }
    let last = causes().last().map(ToString::to_string).unwrap_or_else(|| error.to_string());
    let is_name = causes().any(|cause| cause.to_string().contains("dns error"));
    let io = causes().find_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
    let (reason, hint) = match io {
        _ if is_name => {
            ("its name is not known here".to_owned(), Some("check the spelling, and the DNS of this host"))
        }
        Some(io::ErrorKind::ConnectionRefused) => {
            ("the connection was refused".to_owned(), Some("is a registry running there, on that port?"))
        }
        Some(io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => {
            ("the connection was reset".to_owned(), None)
        }
        _ if error.is_timeout() && error.is_connect() => {
            ("no connection came about in time".to_owned(), None)
        }
        _ if error.is_timeout() => ("no answer came in time".to_owned(), None),
        _ => (shown(&last), None),
    };
    let mut error = Error::new(Kind::Unreachable, format!("`{request}` failed: {reason}"));
    if is_name || io == Some(io::ErrorKind::ConnectionRefused) {
        error = error.apart();
    }
    match hint {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

/// Why nothing came at all from a server that wanted to see a certificate of ours, when there was none.
///
/// With TLS 1.3 such a server ends a connection that is complete in our eyes. Its alert is seen where the end comes after
/// the request; else the library says only that the connection was gone.
pub(crate) fn of_request_without_certificate(request: &str, error: &reqwest::Error) -> Error {
    let failed = of_request(request, error);
    match failed.kind() == Kind::Unreachable && !failed.is_apart() && !error.is_timeout() {
        true => of_tls(request, &rustls::Error::AlertReceived(AlertDescription::CertificateRequired)),
        false => failed,
    }
}

/// An error of TLS, which the library keeps inside those of the connection, and these do not count as causes.
fn within<'a>(cause: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    match cause.downcast_ref::<io::Error>() {
        Some(io) => within(io.get_ref()?),
        None => cause.downcast_ref(),
    }
}

fn of_tls(request: &str, error: &rustls::Error) -> Error {
    use rustls::CertificateError as Certificate;
    let (reason, hint) = match error {
        rustls::Error::InvalidCertificate(Certificate::UnknownIssuer | Certificate::BadSignature) => (
            "its certificate is signed by somebody who is not trusted here".to_owned(),
            Some(
                "put the certificate of its CA into `certs.d/HOST:PORT/ca.crt` (see docs/registries.md), or \
                 use `--tls-verify=false` to trust it blindly",
            ),
        ),
        rustls::Error::InvalidCertificate(Certificate::Expired | Certificate::ExpiredContext { .. }) => {
            ("its certificate has expired".to_owned(), Some("is the clock of this host right?"))
        }
        rustls::Error::InvalidCertificate(
            Certificate::NotValidYet | Certificate::NotValidYetContext { .. },
        ) => ("its certificate is not valid yet".to_owned(), Some("is the clock of this host right?")),
        rustls::Error::InvalidCertificate(
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. },
        ) => ("its certificate is for another name".to_owned(), None),
        rustls::Error::InvalidMessage(_) => (
            "what answers there does not speak TLS".to_owned(),
            Some("for a registry with plain http use `--tls-verify=false`"),
        ),
        rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => (
            "it wants to see a certificate of its clients, and there is none for it".to_owned(),
            Some(
                "put yours into `certs.d/HOST:PORT/` as `client.cert` and `client.key` (see docs/registries.md)",
            ),
        ),
        other => (shown(&other.to_string()), None),
    };
    let is_distrust = matches!(error, rustls::Error::InvalidCertificate(_) | rustls::Error::AlertReceived(_));
    let error = Error::new(Kind::Tls, format!("`{request}` failed: no secure connection: {reason}"))
        .with_distrust(is_distrust);
    match hint {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

/// What the registry itself says about a failure: distribution-spec "Error Codes".
#[derive(Deserialize)]
struct Errors {
    #[serde(default)]
    errors: Vec<OneError>,
}

#[derive(Deserialize)]
struct OneError {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    detail: serde_json::Value,
}

/// The error that an answer with a status of failure is. Who had been asking is said by `identity`.
pub(crate) async fn of_answer(mut answer: Answer, identity: &str) -> Error {
    let body = answer.excerpt().await;
    let status = answer.status;
    let (code, said) = said(&body);
    let wait = answer.header(http::header::RETRY_AFTER).and_then(|text| retry::retry_after(text, now()));
    let colon = if said.is_empty() { "" } else { ": " };
    let message = format!("`{}` was answered {}{colon}{said}", answer.request, named(status));
    let (kind, hint) = meaning(status, code.as_deref(), wait, identity);
    let error = Error::new(kind, message).with_answer(status.as_u16(), code).with_wait(wait);
    match hint {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

fn meaning(
    status: StatusCode,
    code: Option<&str>,
    wait: Option<Duration>,
    identity: &str,
) -> (Kind, Option<String>) {
    match status.as_u16() {
        401 => (Kind::Unauthorized, Some(format!("{identity}; `tug login` stores credentials"))),
        403 => (Kind::Denied, Some(format!("{identity}; does that account have this right?"))),
        404 => {
            let hint = match code {
                Some("NAME_UNKNOWN") | None => {
                    Some(format!("a private repository may look the same to strangers: {identity}"))
                }
                _ => None,
            };
            (Kind::NotFound, hint)
        }
        429 => {
            let hint = match wait {
                Some(wait) => format!("it may be asked again in {} s; {identity}", wait.as_secs()),
                None => format!("too many requests: try later, or log in ({identity})"),
            };
            (Kind::RateLimited, Some(hint))
        }
        405 | 501 => (Kind::Unsupported, None),
        413 => {
            (Kind::TooLarge, Some("the registry, or a proxy before it, takes nothing that large".to_owned()))
        }
        status if status >= 500 || retry::is_for_now(status) => (Kind::Server, None),
        _ if code == Some("UNSUPPORTED") => (Kind::Unsupported, None),
        _ if code == Some("DENIED") => (Kind::Denied, Some(identity.to_owned())),
        _ => (Kind::Protocol, None),
    }
}

fn named(status: StatusCode) -> String {
    match status.canonical_reason() {
        Some(reason) => format!("{} {reason}", status.as_u16()),
        None => status.as_u16().to_string(),
    }
}

/// Code and message out of a body; of a page for people, its first words.
fn said(body: &[u8]) -> (Option<String>, String) {
    if let Ok(Errors { errors }) = serde_json::from_slice(body)
        && let Some(first) = errors.first()
    {
        let texts: Vec<String> =
            errors.iter().take(3).map(OneError::text).filter(|text| !text.is_empty()).collect();
        let code = shown(&first.code);
        return ((!code.is_empty()).then_some(code), shown(&texts.join("; ")));
    }
    let text = String::from_utf8_lossy(body);
    let text = shown(&text);
    match text.starts_with(['<', '{']) {
        true => (None, String::new()),
        false => (None, text),
    }
}

impl OneError {
    fn text(&self) -> String {
        let detail = match &self.detail {
            serde_json::Value::String(detail) if *detail != self.message => format!(" ({detail})"),
            _ => String::new(),
        };
        match (self.code.as_str(), self.message.as_str()) {
            ("", message) => format!("{message}{detail}"),
            (code, "") => format!("{code}{detail}"),
            (code, message) => format!("{code}: {message}{detail}"),
        }
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_is_quoted_and_pages_for_people_are_not() {
        let body = br#"{"errors":[{"code":"DENIED","message":"not yours","detail":"quota"},{"code":"X"}]}"#;
        assert_eq!(said(body), (Some("DENIED".to_owned()), "DENIED: not yours (quota); X".to_owned()));
        assert_eq!(said(b"<html>\n<body>Bad gateway"), (None, String::new()));
        assert_eq!(said(b"upstream\r\n failed\x07"), (None, "upstream failed".to_owned()));
        assert_eq!(said(br#"{"errors":"none"}"#), (None, String::new()));
        assert_eq!(said(b""), (None, String::new()));
    }
}
