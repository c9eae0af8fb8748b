//! A component that misbehaves on request, for the tests of the Wasm host. Only they build it; it is not part
//! of a release.

rondo_guest::generate_service_bindings!("rondo:worlds/event-service");

use rondo_contract::cloud_event::Disposition;
use rondo_guest::bindings::wasi::clocks::monotonic_clock;
use rondo_guest::bindings::wasi::http::types::{
    Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use rondo_guest::bindings::wasi::io::streams::OutputStream;
use rondo_guest::database::Database;
use rondo_guest::event::{Event, Unavailable};
use rondo_guest::http::{self, Request, Response};
use rondo_guest::outgoing::{Answer, Outgoing, OutgoingError};
use rondo_guest::{Refusal, database};
use spin_sdk::pg4::{Connection, DbValue, PgError, QueryError};
use spin_sdk::variables;

/// Length of a large response.
const LARGE_BYTES: usize = 1 << 20;
/// Longer than the deadline of a call.
const WAIT_NS: u64 = 60_000_000_000;

/// Maximum length of another server's answer, in bytes.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Media type of a response that is passed on part by part.
const EVENT_STREAM: &str = "text/event-stream";

/// Separates the statements of a body.
const STATEMENT_SEPARATOR: &str = ";;";

/// Path prefix of requests to the probe as a component with few instances.
const FEW: &str = "/few";

struct Component;

impl bindings::exports::wasi::http::incoming_handler::Guest for Component {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let target = request.path_with_query().unwrap_or_default();
        match target.strip_prefix(FEW).unwrap_or(&target) {
            "/late/trap" => begin(out, |_| panic!("as asked")),
            "/late/loop" => begin(out, |_| calculate()),
            "/late/flood" => begin(out, |stream| while write(&stream) {}),
            "/late/drop" => begin(out, drop),
            "/late/end" => begin_and_end(out),
            "/headers" => {
                let headers = request.headers().entries();
                http::serve(request, out, |_| Vec::new(), |_| Ok(shown(&headers)));
            }
            _ => http::serve(request, out, |_| Vec::new(), route),
        }
    }
}

rondo_guest::export_consumer!(Component, bindings, consume);
bindings::export!(Component with_types_in bindings);

fn route(request: &Request) -> Result<Response, Refusal> {
    match request.path().strip_prefix(FEW).unwrap_or(request.path()) {
        "/hello" | "/events/hello" => Ok(text("hello")),
        "/large" => Ok(text("x".repeat(LARGE_BYTES))),
        "/wait" => wait(),
        "/trap" => panic!("as asked"),
        "/loop" => calculate(),
        "/memory" => fill_memory(),
        "/body" => Ok(text(request.body()?.len().to_string())),
        "/sql" => Ok(text(run(&request.body()?))),
        path => other_server(path, &String::from_utf8_lossy(&request.body()?)),
    }
}

/// Routes that send a request to a URL.
fn other_server(path: &str, url: &str) -> Result<Response, Refusal> {
    let told = match path {
        "/ask" => told(send(url)),
        "/ask/loop" => {
            let _answer = send(url);
            calculate()
        }
        "/ask/parts" => parts(url),
        "/ask/database" => {
            let database = Database::open("database_url")?;
            database.query("SELECT 1::text", &[])?;
            told(send(url))
        }
        "/ask/held" => {
            let database = Database::open("database_url")?;
            database.execute("BEGIN", &[])?;
            let held = told(send(url));
            database.release();
            let released = told(send(url));
            let open = database.query_one("SELECT 'open'::text AS it", &[])?.text("it")?;
            format!("{held}, {released}, {open}")
        }
        "/ask/within" => {
            let database = Database::open("database_url")?;
            let answer = send(url);
            let begin = database.execute("BEGIN", &[]);
            let open = database.query_one("SELECT 'open'::text AS it", &[])?.text("it")?;
            let second = told(send(url));
            format!("{}, {open}, {second}, {}", begin.is_ok(), told(answer))
        }
        _ => return streamed(path, url.to_owned()),
    };
    Ok(text(told))
}

/// Responses that go on after their first part.
fn streamed(path: &str, url: String) -> Result<Response, Refusal> {
    Ok(match path {
        "/stream/ask" => Response::stream(EVENT_STREAM, move |writer| {
            writer.write(b"data: one\n\n");
            let told = told(send(&url));
            writer.write(format!("data: {told}\n\n").as_bytes());
        }),
        "/stream/leave" => Response::stream(EVENT_STREAM, move |writer| {
            while writer.write(b"data: one\n\n") {}
            // For the test to see that the call goes on.
            let _ = send(&url);
        }),
        "/stream/trap" => Response::stream(EVENT_STREAM, |writer| {
            writer.write(b"data: one\n\n");
            panic!("as asked")
        }),
        "/stream/loop" => Response::stream(EVENT_STREAM, |writer| {
            writer.write(b"data: one\n\n");
            calculate()
        }),
        "/stream/other" => Response::stream("text/plain", |writer| {
            writer.write(b"one");
            panic!("as asked")
        }),
        _ => return Err(Refusal::not_found()),
    })
}

fn send(url: &str) -> Result<Answer, OutgoingError> {
    Outgoing::post(url).header("content-type", "text/plain").body("question").send()
}

/// Status, place and body of an answer, or the error.
fn told(answer: Result<Answer, OutgoingError>) -> String {
    let answer = answer.and_then(|answer| {
        let (status, place) = (answer.status, answer.header("location").unwrap_or_default());
        let body = answer.whole(ANSWER_BYTES_MAX)?;
        Ok(format!("{status}{place} {}", String::from_utf8_lossy(&body)))
    });
    answer.unwrap_or_else(|error| format!("{error:?}"))
}

/// The parts of an answer as they come, and what is at its end.
fn parts(url: &str) -> String {
    let mut answer = match send(url) {
        Ok(answer) => answer,
        Err(error) => return format!("{error:?}"),
    };
    let mut told = String::new();
    loop {
        match answer.next() {
            Ok(Some(part)) => told.push_str(&String::from_utf8_lossy(&part)),
            Ok(None) => return format!("{told}|end"),
            Err(error) => return format!("{told}|{error:?}"),
        }
    }
}

/// Handles each event as its type says.
fn consume(batch: Vec<Event>) -> Result<Vec<Disposition>, Unavailable> {
    let consume = |event: Event| match event.event_type.as_str() {
        "loop" => calculate(),
        "trap" => panic!("as asked"),
        "unavailable" => Err(Unavailable { reason: "as asked".to_owned() }),
        _ => Ok(Disposition::Done),
    };
    batch.into_iter().map(consume).collect()
}

fn wait() -> ! {
    loop {
        monotonic_clock::subscribe_duration(WAIT_NS).block();
    }
}

fn calculate() -> ! {
    let mut number = 0_u64;
    loop {
        number = std::hint::black_box(number.wrapping_add(1));
    }
}

fn fill_memory() -> ! {
    let mut held = Vec::new();
    loop {
        held.push(std::hint::black_box(vec![1_u8; 1 << 20]));
    }
}

/// Begins a response without a length, continues with `next`, and never ends the body.
fn begin(out: ResponseOutparam, next: impl FnOnce(OutputStream)) {
    let response = OutgoingResponse::new(Fields::new());
    let body = response.body().expect("a body");
    ResponseOutparam::set(out, Ok(response));
    let stream = body.write().expect("a stream");
    write(&stream);
    next(stream);
}

/// Whether the stream still has a reader.
fn write(stream: &OutputStream) -> bool {
    stream.blocking_write_and_flush(&[b'x'; 4096]).is_ok()
}

/// A response without a length whose body ends properly.
fn begin_and_end(out: ResponseOutparam) {
    let response = OutgoingResponse::new(Fields::new());
    let body = response.body().expect("a body");
    ResponseOutparam::set(out, Ok(response));
    let stream = body.write().expect("a stream");
    stream.blocking_write_and_flush(b"whole").expect("a reader");
    drop(stream);
    OutgoingBody::finish(body, None).expect("a reader");
}

fn shown(headers: &[(String, Vec<u8>)]) -> Response {
    let lines: Vec<_> = headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value)))
        .collect();
    text(lines.join("\n"))
}

fn text(body: impl Into<String>) -> Response {
    Response::of("text/plain", 200, body.into().into_bytes())
}

/// Runs statements one after another on one connection, those that return rows as queries. Writes one line
/// with the outcome of each.
fn run(statements: &[u8]) -> String {
    let statements = String::from_utf8_lossy(statements);
    let url = variables::get("database_url").expect("a variable");
    let connection = match Connection::open(&url) {
        Ok(connection) => connection,
        Err(error) => return failure(&error),
    };
    let outcomes = statements.split(STATEMENT_SEPARATOR).map(|statement| {
        let statement = statement.trim();
        if !["SELE", "EXECUTE"].iter().any(|lead| statement.starts_with(lead)) {
            let affected = connection.execute(statement, &[]);
            return affected
                .map_or_else(|error| failure(&error), |rows| format!("{rows} affected"));
        }
        connection.query(statement, &[]).map_or_else(
            |error| failure(&error),
            |set| {
                let values = set.rows.iter().flatten().map(|value| match value {
                    DbValue::Str(text) => text.clone(),
                    other => format!("{other:?}"),
                });
                let values: Vec<_> = values.collect();
                format!("{}x{} {}", set.rows.len(), set.columns.len(), values.join(","))
            },
        )
    });
    outcomes.collect::<Vec<_>>().join("\n")
}

/// The error's kind, and the error as the shared library for components understands it.
fn failure(error: &PgError) -> String {
    let kind = match error {
        PgError::ConnectionFailed(_) => "connection",
        PgError::QueryFailed(QueryError::DbError(_)) => "database",
        PgError::QueryFailed(QueryError::Text(_)) => "text",
        _ => "other",
    };
    format!("{kind} {}", database::DatabaseError::from(error.clone()))
}
