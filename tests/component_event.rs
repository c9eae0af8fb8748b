//! The built components on the Wasm host, by their typed doors, with a real Postgres.

use rondo_database::Role;
use rondo_testkit::database::TestDatabase;
use rondo_testkit::process::root;
use rondo_wasm_host::engine::recurrence::RecurrenceEnginePre;
use rondo_wasm_host::variable::Values;
use rondo_wasm_host::{CallError, CloudEvent, Disposition, Manifest, WasmApp};

/// The application of spin.toml, whose audit component logs in as `audit`.
fn app(audit: &str, host: &str) -> WasmApp {
    let manifest = Manifest::read(&root().join("spin.toml")).expect("our own spin.toml");
    let values = Values::resolve(&manifest.variables, |name| {
        Some(match name {
            "audit_database_url" => audit.to_owned(),
            "database_host" => host.to_owned(),
            _ => "0".repeat(32),
        })
    });
    WasmApp::load(&manifest, &values.expect("every variable has a value")).expect("components")
}

fn event(id: &str, data: &str) -> CloudEvent {
    CloudEvent {
        id: id.to_owned(),
        source: "/rondo".to_owned(),
        event_type: "task.created".to_owned(),
        subject: Some("tasks/1".to_owned()),
        time: "2031-01-01T00:00:00Z".to_owned(),
        traceparent: None,
        topic: "task-events".to_owned(),
        data: data.to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn audit_records_each_event_once_and_rejects_what_is_none() {
    const ID: &str = "6f1c1f0e-7a52-4c3e-9d67-0d6d1a3c9e11";
    let database = TestDatabase::new().await;
    let dsn = database.dsn(Role::Audit);
    let app = app(&dsn.expose_url(), &format!("{}:{}", dsn.host(), dsn.port()));
    let value = format!(
        r#"{{"event_id":"{ID}","schema_version":"1.0","event_type":"task.created",
            "timestamp":"2031-01-01T00:00:00Z","task_id":1,"user_id":2,"revision":3,"task_data":{{}}}}"#
    );
    let batch = [event(ID, &value), event("no uuid", "{}"), event(ID, &value)];
    for _ in 0..2 {
        let dispositions = app.consume("audit", &batch).await.expect("dispositions");
        assert!(matches!(
            dispositions[..],
            [Disposition::Done, Disposition::Reject(_), Disposition::Done]
        ));
    }
    let session = database.session_as(Role::Audit).await;
    let count: i64 =
        session.query_one("SELECT count(*) FROM audit_logs", &[]).await.expect("a count").get(0);
    assert_eq!(count, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_database_a_component_is_unavailable() {
    let nowhere = format!("127.0.0.1:{}", rondo_testkit::port::free());
    let app = app(&format!("postgres://rondo_audit:x@{nowhere}/rondo"), &nowhere);
    let value = r#"{"event_id":"6f1c1f0e-7a52-4c3e-9d67-0d6d1a3c9e11","schema_version":"1.0",
        "event_type":"task.created","timestamp":"2031-01-01T00:00:00Z","task_id":1,"user_id":2,
        "revision":3,"task_data":{}}"#;
    let batch = [event("6f1c1f0e-7a52-4c3e-9d67-0d6d1a3c9e11", value)];
    let answer = app.consume("audit", &batch).await;
    assert!(matches!(answer, Err(CallError::Unavailable(_))), "{:?}", answer.err());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_recurrence_engine_can_be_composed() {
    let app = app("postgres://u:x@127.0.0.1:1/d", "127.0.0.1:1");
    let (mut store, pre) = app.instance_of("recurrence");
    let engine = RecurrenceEnginePre::new(pre).expect("the export");
    let engine = engine.instantiate_async(&mut store).await.expect("an instance");
    let slots = engine
        .rondo_recurrence_engine()
        .call_preview(&mut store, r#"{"frequency":"monthly"}"#, "2031-01-31T09:00:00", "UTC", 3)
        .await
        .expect("a call")
        .expect("slots");
    let local: Vec<&str> = slots.iter().map(|slot| slot.local.as_str()).collect();
    assert_eq!(local, ["2031-01-31T09:00:00", "2031-02-28T09:00:00", "2031-03-31T09:00:00"]);
}
