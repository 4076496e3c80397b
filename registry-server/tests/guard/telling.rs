//! Metrics, health, the access log.

use std::sync::{Arc, Mutex};

use tug_registry_server::{Event, Observer, Record};

use super::support::{Registry, Request, noise};
use super::{by, get, push_image, upload, with_users};

#[derive(Debug, Default)]
struct Heard(Mutex<Vec<Record>>);

impl Observer for Heard {
    fn event(&self, event: Event) {
        if let Event::Answered(record) = event {
            self.0.lock().unwrap().push(*record);
        }
    }
}

#[test]
fn every_request_leaves_one_record_without_secrets() {
    let heard = Arc::new(Heard::default());
    let observer = Arc::clone(&heard);
    let registry = with_users(&[], move |options| options.observer = observer);
    let bytes = noise(3, 1234);
    let digest = tug_oci::Digest::of(&bytes);
    registry.client.send(&by("alice", upload("app").query("digest", &digest).body(bytes)));
    registry.client.send(&by("alice", get(&format!("/v2/app/blobs/{digest}")).header("range", "bytes=0-99")));
    registry
        .client
        .send(&get("/v2/app/tags/list?secret=hush").header("authorization", super::basic("alice", "hush")));
    registry
        .client
        .send(&Request::new("POST", "/token").body("grant_type=password&username=bob&password=hush"));
    // Stopping waits for every connection, and so for every record.
    registry.running.stop();
    let records = heard.0.lock().unwrap().clone();
    let shown: Vec<_> = records
        .iter()
        .map(|record| {
            let user = record.user.as_deref().unwrap_or("-");
            let digest = record.digest.is_some();
            (record.method.as_str(), record.path.as_str(), record.status, user, record.received, digest)
        })
        .collect();
    let blob = format!("/v2/app/blobs/{digest}");
    assert_eq!(
        shown,
        [
            ("POST", "/v2/app/blobs/uploads/", 201, "alice", 1234, true),
            ("GET", blob.as_str(), 206, "alice", 0, true),
            ("GET", "/v2/app/tags/list", 401, "-", 0, false),
            ("POST", "/token", 401, "-", 46, false),
        ]
    );
    assert_eq!(records[1].sent, 100);
    for record in &records {
        assert!(!format!("{}{}{record:?}", record.line(), record.json()).contains("hush"));
    }
}

#[test]
fn metrics_are_for_users_and_health_for_everybody() {
    let registry = with_users(&["@anyone:read"], |_| {});
    let health = registry.client.get("/healthz");
    assert_eq!((health.status, health.text().as_str()), (200, "{\"status\":\"ok\"}"));
    let refused = registry.client.get("/metrics");
    assert_eq!(refused.status, 401);
    assert!(refused.header("www-authenticate").unwrap().starts_with("Basic "));
    let metrics = registry.client.send(&by("bob", get("/metrics")));
    assert_eq!(metrics.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = metrics.text();
    for line in [
        "tug_requests_total{method=\"GET\",status=\"401\"} 1",
        "tug_refused_total 1",
        "tug_requests_under_way 1",
    ] {
        assert!(text.lines().any(|found| found == line), "`{line}` is not in\n{text}");
    }
    assert_eq!(registry.client.send(&Request::new("DELETE", "/metrics")).status, 405);
    let open = with_users(&[], |options| options.access.open_metrics = true);
    assert_eq!(open.client.get("/metrics").status, 200);
    assert_eq!(Registry::start().client.get("/metrics").status, 200, "where there are no users");
}

#[test]
fn a_server_that_cannot_read_its_folder_is_not_well() {
    let registry = with_users(&[], |_| {});
    assert_eq!(push_image(&registry, "app", "v1", 1).status, 201);
    std::fs::remove_file(registry.root.path().join("_tug/root.json")).unwrap();
    assert_eq!(registry.client.get("/healthz").status, 503);
}
