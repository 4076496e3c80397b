//! One record for each request that was answered, for whoever writes it down.
//!
//! It holds no secret: neither headers nor parameters, and of the user only a name that a password or a token has proved.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use serde_json::json;

/// A request that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// When it came.
    pub time: SystemTime,
    /// From where.
    pub peer: IpAddr,
    /// Who has shown to be who.
    pub user: Option<String>,
    /// Its method.
    pub method: String,
    /// Its path as it came, without parameters.
    pub path: String,
    /// The status of the answer; 499 when the client left before there was one.
    pub status: u16,
    /// What the answer is about.
    pub digest: Option<String>,
    /// Bytes of its body.
    pub received: u64,
    /// Bytes of the answer's body that were given to the connection.
    pub sent: u64,
    /// Until the last byte of the answer.
    pub took: Duration,
    /// How the client calls itself.
    pub agent: Option<String>,
}

impl Record {
    /// As one line for people: time, address, user, request, status, bytes in and out, milliseconds, digest.
    pub fn line(&self) -> String {
        format!(
            "{} {} {} {} {} {} in={} out={} ms={} {}",
            self.shown_time(),
            self.peer,
            clean(self.user.as_deref().unwrap_or("-")),
            clean(&self.method),
            clean(&self.path),
            self.status,
            self.received,
            self.sent,
            self.took.as_millis(),
            clean(self.digest.as_deref().unwrap_or("-")),
        )
    }

    /// As an object in JSON, on one line.
    pub fn json(&self) -> String {
        json!({
            "time": self.shown_time(),
            "remote": self.peer.to_string(),
            "user": self.user,
            "method": self.method,
            "path": self.path,
            "status": self.status,
            "digest": self.digest,
            "bytes_in": self.received,
            "bytes_out": self.sent,
            "ms": u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
            "user_agent": self.agent,
        })
        .to_string()
    }

    fn shown_time(&self) -> String {
        let time = jiff::Timestamp::try_from(self.time).unwrap_or_default();
        format!("{time:.3}")
    }
}

/// One word, whatever it is made of.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || c.is_whitespace() { '_' } else { c }).take(1024).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            time: SystemTime::UNIX_EPOCH + Duration::from_millis(1_500),
            peer: "192.0.2.7".parse().unwrap(),
            user: Some("alice b".to_owned()),
            method: "GET".to_owned(),
            path: "/v2/a/blobs/sha256:00".to_owned(),
            status: 206,
            digest: Some("sha256:00".to_owned()),
            received: 0,
            sent: 17,
            took: Duration::from_millis(12),
            agent: Some("tug/1 \"x\"".to_owned()),
        }
    }

    #[test]
    fn a_record_is_one_line() {
        assert_eq!(
            record().line(),
            "1970-01-01T00:00:01.500Z 192.0.2.7 alice_b GET /v2/a/blobs/sha256:00 206 in=0 out=17 ms=12 sha256:00"
        );
    }

    #[test]
    fn a_record_is_an_object() {
        assert_eq!(
            record().json(),
            r#"{"time":"1970-01-01T00:00:01.500Z","remote":"192.0.2.7","user":"alice b","method":"GET","path":"/v2/a/blobs/sha256:00","status":206,"digest":"sha256:00","bytes_in":0,"bytes_out":17,"ms":12,"user_agent":"tug/1 \"x\""}"#
        );
    }
}
