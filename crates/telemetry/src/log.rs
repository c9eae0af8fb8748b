//! Logs, to standard error: for people on a terminal, one JSON object per line elsewhere.

use std::{
    fmt::{self, Write as _},
    io::{self, IsTerminal as _, Write as _},
};

use serde_json::{Map, Value};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    span,
};
use tracing_subscriber::{
    EnvFilter, Layer,
    fmt::{
        MakeWriter,
        format::Writer,
        time::{FormatTime as _, SystemTime},
    },
    layer::{Context, SubscriberExt as _},
    registry::LookupSpan,
    util::{SubscriberInitExt as _, TryInitError},
};

/// Variables that a filter is taken from when none is given, the first that is set.
const FILTER_VARIABLES: [&str; 2] = ["RONDO_LOG", "RUST_LOG"];
/// About the settings of logs, for a program's `--help`.
pub const HELP: &str = "\
Logs go to standard error, for people on a terminal and as JSON lines elsewhere, unless --log-format says \
otherwise. NO_COLOR (no-color.org) turns colours off. RONDO_LOG (or \
RUST_LOG) says what is logged: a level (error, warn, info, debug, trace), or levels by module such as \
info,host_bridge::pipeline=debug. At debug there is a line for each request and each event.

Traces go to OTEL_EXPORTER_OTLP_ENDPOINT, such as http://127.0.0.1:4318, by OTLP (http/protobuf), if it \
is set; OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG and the others of OpenTelemetry's names say which.

Exit status: 0 after a signal that ended it in order or when done, 1 for a failure, 2 for a setting \
that is missing or malformed.";
/// What is logged unless something else is asked for.
const FILTER_DEFAULT: &str = "info";

/// The log format, as an option of every command.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct LogOption {
    /// Log format: json, text (with colours on a terminal), or auto: text on a terminal, otherwise json
    #[arg(
        long,
        env = "RONDO_LOG_FORMAT",
        default_value = "auto",
        value_name = "FORMAT",
        global = true
    )]
    pub log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    Auto,
    Json,
    Text,
}

/// Sets up logging for the process; once, before anything else runs.
///
/// The filter is that of `RONDO_LOG`, else of `RUST_LOG`, else `info`, in the form of
/// tracing-subscriber's `EnvFilter`: `info`, or `info,host_bridge::pipeline=debug`.
pub fn init(option: LogOption) -> Result<(), LogError> {
    let filter = filter(|name| std::env::var(name).ok())?;
    let registry = tracing_subscriber::registry().with(filter);
    let is_terminal = io::stderr().is_terminal();
    if option.is_text(is_terminal) {
        let has_colours =
            is_terminal && std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty());
        let lines = tracing_subscriber::fmt::layer().with_ansi(has_colours).with_writer(io::stderr);
        registry.with(lines).try_init()
    } else {
        registry.with(JsonLayer::new(io::stderr)).try_init()
    }
    .map_err(LogError::Taken)?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

impl LogOption {
    fn is_text(self, is_terminal: bool) -> bool {
        match self.log_format {
            LogFormat::Auto => is_terminal,
            LogFormat::Json => false,
            LogFormat::Text => true,
        }
    }
}

fn filter(variable: impl Fn(&str) -> Option<String>) -> Result<EnvFilter, LogError> {
    let given = FILTER_VARIABLES
        .into_iter()
        .find_map(|name| Some((name, variable(name).filter(|value| !value.is_empty())?)));
    let (setting, filter) = given.unwrap_or((FILTER_VARIABLES[0], FILTER_DEFAULT.to_owned()));
    EnvFilter::builder().parse(&filter).map_err(|reason| LogError::Filter {
        setting,
        filter,
        reason: reason.to_string(),
    })
}

/// A panic is a log line as well, with the trace id of where it happened.
fn log_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string);
    tracing::error!(place, "panic: {}", panic.payload_as_str().unwrap_or("without a message"));
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("{setting}: {filter:?} is not of the form `info` or `info,module=debug`: {reason}")]
    Filter { setting: &'static str, filter: String, reason: String },
    #[error("logging is already set up")]
    Taken(#[source] TryInitError),
}

/// Writes each event as `{"timestamp", "level", "target", "message", …}`, with the fields of the
/// spans around it at the same level, `trace_id` among them; the innermost wins. (The formatter of
/// tracing-subscriber nests spans, which no log search likes.)
pub struct JsonLayer<W> {
    writer: W,
}

impl<W> JsonLayer<W> {
    pub fn new(writer: W) -> Self {
        Self { writer }
    }
}

/// A span's fields, kept with it.
struct SpanFields(Map<String, Value>);

impl<S, W> Layer<S> for JsonLayer<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_new_span(
        &self,
        attributes: &span::Attributes<'_>,
        id: &span::Id,
        context: Context<'_, S>,
    ) {
        if let Some(span) = context.span(id) {
            let mut fields = Map::new();
            attributes.record(&mut FieldVisitor(&mut fields));
            span.extensions_mut().insert(SpanFields(fields));
        }
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(SpanFields(fields)) = span.extensions_mut().get_mut()
        {
            values.record(&mut FieldVisitor(fields));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut line = Map::new();
        let mut timestamp = String::new();
        // Writing into a String cannot fail.
        let _ = SystemTime.format_time(&mut Writer::new(&mut timestamp));
        let metadata = event.metadata();
        line.insert("timestamp".to_owned(), timestamp.into());
        line.insert("level".to_owned(), metadata.level().as_str().to_ascii_lowercase().into());
        line.insert("target".to_owned(), metadata.target().into());
        for span in context.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(SpanFields(fields)) = span.extensions().get() {
                line.extend(fields.clone());
            }
        }
        event.record(&mut FieldVisitor(&mut line));
        let mut text = Value::Object(line).to_string();
        text.push('\n');
        // In one piece, so that lines of two threads do not mix; with nowhere to write, who is told?
        let _ = self.writer.make_writer_for(metadata).write_all(text.as_bytes());
    }
}

struct FieldVisitor<'a>(&'a mut Map<String, Value>);

impl FieldVisitor<'_> {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for FieldVisitor<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        let _ = write!(text, "{value:?}");
        self.put(field, text);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines_of(work: impl FnOnce()) -> Vec<Value> {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber =
            tracing_subscriber::registry().with(JsonLayer::new(move || writer.clone()));
        tracing::subscriber::with_default(subscriber, work);
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn every_line_inside_a_span_has_its_trace_id() {
        let lines = lines_of(|| {
            tracing::info!("outside");
            let request =
                tracing::info_span!("request", trace_id = "abc", user_id = tracing::field::Empty);
            request.record("user_id", 7);
            request.in_scope(|| {
                tracing::info_span!("query", table = "tasks").in_scope(|| {
                    tracing::warn!(rows = 3, ok = true, share = 0.5, kind = ?Some("x"), "slow \"one\"\nindeed");
                });
            });
        });
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0].get("trace_id"), None);
        let line = &lines[1];
        let expected = serde_json::json!({
            "timestamp": line["timestamp"], "level": "warn", "target": "rondo_telemetry::log::tests",
            "message": "slow \"one\"\nindeed", "trace_id": "abc", "user_id": 7, "table": "tasks",
            "rows": 3, "ok": true, "share": 0.5, "kind": "Some(\"x\")",
        });
        assert_eq!(*line, expected);
        let timestamp = line["timestamp"].as_str().unwrap();
        assert!(
            timestamp.ends_with('Z') && timestamp.len() == "2026-01-02T03:04:05.000006Z".len(),
            "{timestamp}"
        );
    }

    #[test]
    fn lines_are_text_on_a_terminal_or_as_chosen() {
        let is_text = |log_format, is_terminal| LogOption { log_format }.is_text(is_terminal);
        assert!(is_text(LogFormat::Auto, true) && !is_text(LogFormat::Auto, false));
        assert!(is_text(LogFormat::Text, false) && !is_text(LogFormat::Json, true));
    }

    #[test]
    fn the_filter_is_that_of_the_first_variable_that_is_set() {
        let check = |ours: &str, common: &str, expected: &str| {
            let value =
                |name: &str| Some(if name == "RONDO_LOG" { ours } else { common }.to_owned());
            assert_eq!(filter(value).unwrap().to_string(), expected);
        };
        check("", "", "info");
        check("", "warn", "warn");
        check("debug", "warn", "debug");
        let refusal = filter(|name| (name == "RUST_LOG").then(|| "a=b=c".to_owned())).unwrap_err();
        assert!(refusal.to_string().starts_with("RUST_LOG: \"a=b=c\""), "{refusal}");
    }
}
