//! What is counted, in the text format of Prometheus.
//!
//! Source: Prometheus, "Exposition formats", version 0.0.4.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The upper ends of the classes of durations, in seconds.
const BUCKETS: [f64; 9] = [0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 25.0, 100.0, 500.0];

/// What is counted since the start.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    requests: Mutex<BTreeMap<(&'static str, u16), u64>>,
    buckets: [AtomicU64; BUCKETS.len()],
    microseconds: AtomicU64,
    received: AtomicU64,
    sent: AtomicU64,
    stopped: AtomicU64,
    turned_away: AtomicU64,
    under_way: AtomicU64,
    upstreams: Mutex<BTreeMap<(String, Lookup), u64>>,
    pulls_left: Mutex<BTreeMap<String, u64>>,
}

/// How something was found that another registry has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lookup {
    /// It was here.
    Hit,
    /// It was fetched.
    Miss,
    /// It was here, and the other registry could not be asked whether it is still that.
    Stale,
    /// It is neither here nor there, or could not be fetched.
    Failed,
}

/// Counts a request that is under way, until it is dropped.
pub(crate) struct UnderWay(std::sync::Arc<Metrics>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Relaxed);
    }
}

impl Metrics {
    /// A request begins.
    pub(crate) fn begin(self: &std::sync::Arc<Self>) -> UnderWay {
        self.under_way.fetch_add(1, Relaxed);
        UnderWay(std::sync::Arc::clone(self))
    }

    /// A request was answered to its end.
    pub(crate) fn answered(
        &self,
        method: &http::Method,
        status: u16,
        took: Duration,
        received: u64,
        sent: u64,
    ) {
        // Whatever comes, there are few names.
        let method = match method.as_str() {
            "GET" => "GET",
            "HEAD" => "HEAD",
            "POST" => "POST",
            "PUT" => "PUT",
            "PATCH" => "PATCH",
            "DELETE" => "DELETE",
            _ => "other",
        };
        *lock(&self.requests).entry((method, status)).or_default() += 1;
        for (end, count) in BUCKETS.iter().zip(&self.buckets) {
            if took.as_secs_f64() <= *end {
                count.fetch_add(1, Relaxed);
            }
        }
        self.microseconds.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Relaxed);
        self.received.fetch_add(received, Relaxed);
        self.sent.fetch_add(sent, Relaxed);
    }

    /// Somebody was not let in.
    pub(crate) fn stopped(&self) {
        self.stopped.fetch_add(1, Relaxed);
    }

    /// A connection was closed because there were too many.
    pub(crate) fn turned_away(&self) {
        self.turned_away.fetch_add(1, Relaxed);
    }

    /// Something of the registry `upstream` was looked for.
    pub(crate) fn looked_up(&self, upstream: &str, how: Lookup) {
        *lock(&self.upstreams).entry((upstream.to_owned(), how)).or_default() += 1;
    }

    /// The registry `upstream` has said how many pulls are left.
    pub(crate) fn pulls_left(&self, upstream: &str, left: u64) {
        lock(&self.pulls_left).insert(upstream.to_owned(), left);
    }

    /// All of it, as text.
    pub(crate) fn text(&self, connections: usize) -> String {
        let mut out = String::new();
        head(&mut out, "tug_requests_total", "counter", "Requests that were answered.");
        let requests = lock(&self.requests).clone();
        for ((method, status), count) in &requests {
            let _ = writeln!(out, "tug_requests_total{{method=\"{method}\",status=\"{status}\"}} {count}");
        }
        let all: u64 = requests.values().sum();
        head(&mut out, "tug_request_seconds", "histogram", "How long requests took, with their bodies.");
        for (end, count) in BUCKETS.iter().zip(&self.buckets) {
            let _ = writeln!(out, "tug_request_seconds_bucket{{le=\"{end}\"}} {}", count.load(Relaxed));
        }
        let _ = writeln!(out, "tug_request_seconds_bucket{{le=\"+Inf\"}} {all}");
        let sum = Duration::from_micros(self.microseconds.load(Relaxed)).as_secs_f64();
        let _ = writeln!(out, "tug_request_seconds_sum {sum}\ntug_request_seconds_count {all}");
        for (name, kind, help, value) in [
            ("tug_requests_under_way", "gauge", "Requests that are being answered.", &self.under_way),
            ("tug_received_bytes_total", "counter", "Bytes of bodies that came.", &self.received),
            ("tug_sent_bytes_total", "counter", "Bytes of bodies that went out.", &self.sent),
            ("tug_refused_total", "counter", "Requests of those who may not.", &self.stopped),
            ("tug_connections_refused_total", "counter", "Connections over a limit.", &self.turned_away),
        ] {
            head(&mut out, name, kind, help);
            let _ = writeln!(out, "{name} {}", value.load(Relaxed));
        }
        head(&mut out, "tug_connections", "gauge", "Connections that are open.");
        let _ = writeln!(out, "tug_connections {connections}");
        let upstreams = lock(&self.upstreams).clone();
        if !upstreams.is_empty() {
            head(
                &mut out,
                "tug_upstream_lookups_total",
                "counter",
                "What was looked for in other registries.",
            );
        }
        for ((upstream, how), count) in &upstreams {
            let result = match how {
                Lookup::Hit => "hit",
                Lookup::Miss => "miss",
                Lookup::Stale => "stale",
                Lookup::Failed => "failed",
            };
            let _ = writeln!(
                out,
                "tug_upstream_lookups_total{{upstream=\"{upstream}\",result=\"{result}\"}} {count}"
            );
        }
        let left = lock(&self.pulls_left).clone();
        if !left.is_empty() {
            head(&mut out, "tug_upstream_pulls_left", "gauge", "Pulls that another registry still allows.");
        }
        for (upstream, left) in &left {
            let _ = writeln!(out, "tug_upstream_pulls_left{{upstream=\"{upstream}\"}} {left}");
        }
        out
    }
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn what_was_counted_is_text_that_prometheus_reads() {
        let metrics = Arc::new(Metrics::default());
        metrics.answered(&http::Method::GET, 200, Duration::from_millis(50), 0, 10);
        metrics.answered(&http::Method::GET, 200, Duration::from_millis(1), 0, 5);
        metrics.answered(&"BREW".parse().unwrap(), 405, Duration::from_secs(2), 7, 0);
        metrics.looked_up("docker.io", Lookup::Stale);
        metrics.pulls_left("docker.io", 76);
        let _one = metrics.begin();
        let text = metrics.text(3);
        for line in [
            "# TYPE tug_requests_total counter",
            "tug_requests_total{method=\"GET\",status=\"200\"} 2",
            "tug_requests_total{method=\"other\",status=\"405\"} 1",
            "tug_request_seconds_bucket{le=\"0.005\"} 1",
            "tug_request_seconds_bucket{le=\"0.1\"} 2",
            "tug_request_seconds_bucket{le=\"+Inf\"} 3",
            "tug_request_seconds_sum 2.051",
            "tug_requests_under_way 1",
            "tug_sent_bytes_total 15",
            "tug_received_bytes_total 7",
            "tug_connections 3",
            "tug_upstream_lookups_total{upstream=\"docker.io\",result=\"stale\"} 1",
            "tug_upstream_pulls_left{upstream=\"docker.io\"} 76",
        ] {
            assert!(text.lines().any(|found| found == line), "`{line}` is not in\n{text}");
        }
    }
}
