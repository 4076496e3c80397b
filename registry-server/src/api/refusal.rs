//! Answers that say no: a status, a code of the specification, and a sentence.
//!
//! Source: distribution-spec, "Error Codes".

use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};

use super::body::Body;
use crate::names::NameError;
use crate::storage::Error;

/// The most entries of a list in the details of a refusal.
const MOST_LISTED: usize = 100;

/// An answer that says no.
#[derive(Debug)]
pub(crate) struct Refusal(Box<Parts>);

#[derive(Debug)]
struct Parts {
    status: StatusCode,
    code: &'static str,
    message: String,
    detail: Value,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Refusal {
    /// A refusal with `status`, a `code` of the specification and a sentence for people.
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            status,
            code,
            message: message.into(),
            detail: Value::Null,
            headers: Vec::new(),
        }))
    }

    /// The same with details for programs.
    pub(crate) fn with_detail(mut self, detail: Value) -> Self {
        self.0.detail = detail;
        self
    }

    /// The same with a header more.
    pub(crate) fn with_header(mut self, name: HeaderName, value: impl AsRef<str>) -> Self {
        if let Ok(value) = HeaderValue::from_str(value.as_ref()) {
            self.0.headers.push((name, value));
        }
        self
    }

    /// There is no such repository.
    pub(crate) fn unknown_name(name: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NAME_UNKNOWN", format!("there is no repository `{name}`"))
    }

    /// There is no such upload.
    pub(crate) fn unknown_upload() -> Self {
        let message =
            "there is no such upload: it has ended, was cancelled, or belongs to another repository";
        Self::new(StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN", message)
    }

    /// Something in the request is not well formed.
    pub(crate) fn bad(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// What is said when it is our fault: nothing of paths, those are in the log.
    pub(crate) fn internal() -> Self {
        let message = "something is wrong with the registry; its log says what";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN", message)
    }

    /// The answer.
    pub(crate) fn into_response(self) -> Response<Body> {
        let Parts { status, code, message, detail, headers } = *self.0;
        let mut entry = json!({ "code": code, "message": message });
        if !detail.is_null() {
            entry["detail"] = detail;
        }
        let mut text = json!({ "errors": [entry] }).to_string();
        text.push('\n');
        let mut response = Response::new(Body::of(text));
        *response.status_mut() = status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response.headers_mut().extend(headers);
        response
    }

    /// What to tell the log, where the fault is ours.
    pub(crate) fn of_storage(error: &Error) -> (Self, Option<String>) {
        if error.is_disk_full() {
            let message = "the disk of the registry is full";
            let refusal = Self::new(StatusCode::INSUFFICIENT_STORAGE, "UNKNOWN", message);
            return (refusal, Some(error.sentence()));
        }
        let refusal = match error {
            Error::DigestMismatch { expected, actual } => Self::bad("DIGEST_INVALID", error.to_string())
                .with_detail(json!({ "expected": expected.to_string(), "actual": actual.to_string() })),
            Error::Missing(digests) => {
                let digests: Vec<String> =
                    digests.iter().take(MOST_LISTED).map(ToString::to_string).collect();
                Self::new(StatusCode::NOT_FOUND, "MANIFEST_BLOB_UNKNOWN", error.to_string())
                    .with_detail(json!({ "missing": digests }))
            }
            Error::Fixed(tag) => Self::new(StatusCode::FORBIDDEN, "DENIED", error.to_string())
                .with_detail(json!({ "reason": "immutable", "tag": tag })),
            Error::Precondition => Self::new(StatusCode::PRECONDITION_FAILED, "DENIED", error.to_string()),
            _ => return (Self::internal(), Some(error.sentence())),
        };
        (refusal, None)
    }
}

impl From<NameError> for Refusal {
    fn from(error: NameError) -> Self {
        let code = match error {
            NameError::Tag(_) => "MANIFEST_INVALID",
            NameError::Repository(_) | NameError::RepositoryTooLong(_) => "NAME_INVALID",
        };
        Self::bad(code, error.to_string())
    }
}

impl From<tug_oci::DigestError> for Refusal {
    fn from(error: tug_oci::DigestError) -> Self {
        Self::bad("DIGEST_INVALID", error.to_string())
    }
}
