use super::*;

#[test]
fn the_text_has_what_was_counted() {
    let metrics = Metrics::new();
    metrics.request("/api/tasks", "GET", 200, Duration::from_millis(3));
    metrics.request("/api/tasks", "BREW", 503, Duration::from_secs(2));
    metrics.announce_refusals(&[(401, "no_token"), (429, "rate_user")]);
    metrics.refused(401, "no_token");
    metrics.announce_mail();
    metrics.mail("sent");
    metrics.announce_webhook();
    metrics.webhook("retried");
    metrics.announce_consumer("audit");
    metrics.clone().event_retried("notify");
    metrics.event_finished("notify", Duration::from_millis(70));
    metrics.consumer_lag("notify", 7);
    metrics.outbox_oldest_age.set(1.5);
    metrics.relayed.inc_by(3);
    let used = PoolUse { open: 3, idle: 1, waiting: 4, connections_max: 12 };
    metrics.watch_pool("bridge", move || used);
    let text = metrics.encode();
    for line in [
        "rondo_http_request_duration_seconds_bucket{le=\"0.005\",route=\"/api/tasks\",method=\"GET\",status=\"2xx\"} 1",
        "rondo_http_request_duration_seconds_count{route=\"/api/tasks\",method=\"other\",status=\"5xx\"} 1",
        "rondo_refusals_total{status=\"401\",reason=\"no_token\"} 1",
        "rondo_refusals_total{status=\"429\",reason=\"rate_user\"} 0",
        "# TYPE rondo_mails_total counter",
        "rondo_mails_total{outcome=\"sent\"} 1",
        "rondo_mails_total{outcome=\"failed\"} 0",
        "rondo_webhooks_total{outcome=\"retried\"} 1",
        "rondo_webhooks_total{outcome=\"failed\"} 0",
        "rondo_event_retries_total{consumer=\"notify\"} 1",
        "rondo_event_retries_total{consumer=\"audit\"} 0",
        "rondo_consumer_lag{consumer=\"notify\"} 7",
        "rondo_event_latency_seconds_count{consumer=\"notify\"} 1",
        "rondo_events_relayed_total 3",
        "# TYPE rondo_outbox_oldest_age_seconds gauge",
        "rondo_outbox_oldest_age_seconds 1.5",
        "rondo_outbox_rows 0",
        "rondo_database_connections{pool=\"bridge\",state=\"busy\"} 2",
        "rondo_database_connections{pool=\"bridge\",state=\"waiting\"} 4",
        "rondo_database_connections_max{pool=\"bridge\"} 12",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert!(!text.contains("# EOF") && !text.contains("# UNIT"), "{text}");
    let types: Vec<_> = text.lines().filter(|line| line.starts_with("# TYPE")).collect();
    let mut once = types.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(types.len(), once.len(), "each metric is described once");
}

#[test]
fn what_is_in_use_counts_while_it_is() {
    let metrics = Metrics::new();
    let line = |count| format!("rondo_connections{{kind=\"websocket\"}} {count}\n");
    let first = metrics.connection("websocket");
    let second = metrics.connection("websocket");
    assert!(metrics.encode().contains(&line(2)));
    drop((first, second));
    assert!(metrics.encode().contains(&line(0)), "{}", metrics.encode());
}
