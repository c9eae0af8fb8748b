use std::collections::BTreeSet;

use super::*;

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn trace() -> TraceContext {
    TraceContext::parse(TRACE).unwrap()
}

#[test]
fn the_text_has_what_was_counted() {
    let metrics = Metrics::new(Program::Up);
    metrics.request("/api/tasks", "GET", 200, Duration::from_millis(3), trace());
    metrics.request("/api/tasks", "BREW", 503, Duration::from_secs(2), trace());
    metrics.announce_refusals(&[(401, "no_token"), (429, "rate_user")]);
    metrics.refused(401, "no_token");
    metrics.announce_mail();
    metrics.mail("sent");
    metrics.announce_webhook();
    metrics.webhook("retried");
    metrics.announce_consumer("audit", ["task.created"]);
    metrics.clone().event_retried("notify", "reminder.due");
    metrics.event_finished("notify", "reminder.due", Duration::from_millis(70), None);
    metrics.consumer_lag("notify", 7);
    metrics.consumer_window("notify", 5, 80);
    metrics.outbox_oldest_age.set(1.5);
    metrics.relayed.inc_by(3);
    metrics.reminder_fired(Duration::from_millis(30));
    metrics.job("mails", 2, 8);
    metrics.instances(&"auth".to_owned().into(), 4, 1);
    let used = PoolUse { open: 3, idle: 1, waiting: 4, connections_max: 12 };
    metrics.watch_pool("bridge", move || used);
    let text = metrics.encode(Format::Prometheus);
    let version = env!("CARGO_PKG_VERSION");
    let build = format!("rondo_build_info{{version=\"{version}\",program=\"up\"}} 1");
    for line in [
        &*build,
        "rondo_http_request_duration_seconds_bucket{le=\"0.005\",route=\"/api/tasks\",method=\"GET\",status=\"2xx\"} 1",
        "rondo_http_request_duration_seconds_count{route=\"/api/tasks\",method=\"other\",status=\"5xx\"} 1",
        "rondo_refusals_total{status=\"401\",reason=\"no_token\"} 1",
        "rondo_refusals_total{status=\"429\",reason=\"rate_user\"} 0",
        "# TYPE rondo_mails_total counter",
        "rondo_mails_total{outcome=\"sent\"} 1",
        "rondo_mails_total{outcome=\"failed\"} 0",
        "rondo_webhooks_total{outcome=\"retried\"} 1",
        "rondo_webhooks_total{outcome=\"failed\"} 0",
        "rondo_event_retries_total{consumer=\"notify\",type=\"reminder.due\"} 1",
        "rondo_event_retries_total{consumer=\"audit\",type=\"task.created\"} 0",
        "rondo_consumer_lag{consumer=\"notify\"} 7",
        "rondo_consumer_window_events{consumer=\"notify\"} 5",
        "rondo_consumer_window_events_max{consumer=\"notify\"} 80",
        "rondo_event_latency_seconds_count{consumer=\"notify\",type=\"reminder.due\"} 1",
        "rondo_events_relayed_total 3",
        "rondo_reminders_fired_total 1",
        "rondo_reminder_lateness_seconds_bucket{le=\"0.04\"} 1",
        "rondo_jobs_running{job=\"mails\"} 2",
        "rondo_jobs_running_max{job=\"mails\"} 8",
        "rondo_instances{component=\"auth\",state=\"waiting\"} 1",
        "# TYPE rondo_outbox_oldest_age_seconds gauge",
        "rondo_outbox_oldest_age_seconds 1.5",
        "rondo_outbox_rows 0",
        "rondo_database_connections{pool=\"bridge\",state=\"busy\"} 2",
        "rondo_database_connections{pool=\"bridge\",state=\"waiting\"} 4",
        "rondo_database_connections_max{pool=\"bridge\"} 12",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    for foreign in ["# EOF", "# UNIT", "trace_id"] {
        assert!(!text.contains(foreign), "{text}");
    }
    let types: Vec<_> = text.lines().filter(|line| line.starts_with("# TYPE")).collect();
    let mut once = types.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(types.len(), once.len(), "each metric is described once");
}

#[test]
fn open_metrics_lead_from_a_bucket_to_a_trace_that_is_kept() {
    let metrics = Metrics::new(Program::Bridge);
    let dropped = TraceContext::parse(&TRACE.replace("-01", "-00")).unwrap();
    metrics.request("/health", "GET", 200, Duration::from_millis(3), dropped);
    metrics.event_finished("audit", "task.created", Duration::from_millis(30), Some(trace()));
    let text = metrics.encode(Format::OpenMetrics);
    let bucket = "rondo_event_latency_seconds_bucket{le=\"0.04\",consumer=\"audit\",type=\"task.created\"} 1 \
                  # {trace_id=\"0af7651916cd43dd8448eb211c80319c\"} 0.03 ";
    assert_eq!(text.matches("trace_id").count(), 1, "{text}");
    assert!(text.contains(bucket), "{text}");
    assert!(text.contains("# UNIT rondo_event_latency_seconds seconds\n"), "{text}");
    assert!(text.contains("# TYPE rondo_events_relayed counter\n"), "{text}");
    assert!(text.ends_with("# EOF\n"), "{text}");
}

#[test]
fn a_program_has_only_its_own_metrics() {
    let names = |program| {
        let text = Metrics::new(program).encode(Format::Prometheus);
        let names = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        names.map(|rest| rest.split(' ').next().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    let sync = names(Program::Sync);
    assert!(sync.contains("rondo_sync_queue_bytes") && !sync.contains("rondo_outbox_rows"));
    assert!(names(Program::Bridge).contains("rondo_outbox_rows"));
}

/// <https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md>, "Metric naming".
#[test]
fn names_follow_open_metrics() {
    let mut once = BTreeSet::new();
    for MetricFacts { name, kind, labels, programs, help } in METRICS {
        assert!(once.insert(name), "{name} is there twice");
        assert_eq!(*kind == "counter", name.ends_with("_total"), "{name}");
        assert!(*kind != "histogram" || name.ends_with("_seconds"), "{name}");
        assert!(name.starts_with("rondo_") || name.starts_with("process_"), "{name}");
        for word in labels.iter().chain([name]) {
            assert!(word.bytes().all(|c| c.is_ascii_lowercase() || c == b'_'), "{name}: {word}");
        }
        assert!(!programs.is_empty() && !help.ends_with('.') && !help.contains('|'), "{name}");
    }
}

#[test]
fn what_is_in_use_counts_while_it_is() {
    let metrics = Metrics::new(Program::Sync);
    let line = |count| format!("rondo_connections{{kind=\"websocket\"}} {count}\n");
    let has = |count| metrics.encode(Format::Prometheus).contains(&line(count));
    let first = metrics.connection("websocket");
    let second = metrics.connection("websocket");
    assert!(has(2));
    drop((first, second));
    assert!(has(0));
}
