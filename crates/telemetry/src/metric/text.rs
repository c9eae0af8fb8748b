//! The two forms in which metrics are read: OpenMetrics 1.0, and Prometheus' own text format 0.0.4.

/// Media type of a request for OpenMetrics (section "Content-Type" of its specification).
const OPEN_METRICS: &str = "application/openmetrics-text";
const PROMETHEUS: &str = "text/plain";
/// The version of OpenMetrics that is served.
const VERSION: &str = "1.0.0";
/// Begins an exemplar, behind the sample of a bucket.
const EXEMPLAR: &str = " # {";

/// A form of the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Has exemplars and units.
    OpenMetrics,
    Prometheus,
}

impl Format {
    /// OpenMetrics for whoever accepts it at least as gladly as the other (RFC 9110, section 12.5.1).
    #[must_use]
    pub fn wanted(accept: Option<&str>) -> Self {
        let best = |media_type: &str| {
            let ranges = accept.unwrap_or_default().split(',');
            ranges.filter_map(|range| quality(range, media_type)).fold(0.0, f64::max)
        };
        let open_metrics = best(OPEN_METRICS);
        if open_metrics > 0.0 && open_metrics >= best(PROMETHEUS) {
            Self::OpenMetrics
        } else {
            Self::Prometheus
        }
    }

    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// How gladly a range of Accept takes a media type; none if it is about another, or another version.
fn quality(range: &str, media_type: &str) -> Option<f64> {
    let mut parts = range.split(';').map(str::trim);
    if !parts.next()?.eq_ignore_ascii_case(media_type) {
        return None;
    }
    let mut quality = 1.0;
    for parameter in parts {
        match parameter.split_once('=') {
            Some(("version", version)) if media_type == OPEN_METRICS && version != VERSION => {
                return None;
            }
            Some(("q" | "Q", value)) => quality = value.parse().ok()?,
            _ => {}
        }
    }
    Some(quality)
}

/// OpenMetrics 1.0 as Prometheus' text format 0.0.4, in which a counter is described by the name of its
/// sample and there are neither units nor exemplars nor an end mark.
pub fn prometheus_text(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len());
    let mut lines = open_metrics.lines().peekable();
    while let Some(line) = lines.next() {
        if line == "# EOF" || line.starts_with("# UNIT ") {
            continue;
        }
        let described = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' '));
        let counter = described.filter(|(name, _)| {
            lines.peek().is_some_and(|next| *next == format!("# TYPE {name} counter"))
        });
        if let Some((name, help)) = counter {
            text.push_str(&format!("# HELP {name}_total {help}\n# TYPE {name}_total counter\n"));
            lines.next();
        } else {
            text.push_str(line.split_once(EXEMPLAR).map_or(line, |(sample, _)| sample));
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_metrics_are_for_those_who_ask_for_them() {
        let check = |accept: &str, expected| {
            assert_eq!(Format::wanted(Some(accept)), expected, "{accept}");
        };
        assert_eq!(Format::wanted(None), Format::Prometheus);
        for accept in [
            // Prometheus 2.50 and 3.5.
            "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,\
             text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
             text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
            "application/openmetrics-text; version=1.0.0",
            "Application/OpenMetrics-Text",
        ] {
            check(accept, Format::OpenMetrics);
        }
        for accept in [
            "",
            "*/*",
            "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "application/openmetrics-text;version=0.0.1",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;q=0.1,text/plain",
            "application/openmetrics-text;q=much",
        ] {
            check(accept, Format::Prometheus);
        }
    }
}
