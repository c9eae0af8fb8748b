//! Tables for people.

use serde_json::Value;

/// The aims, as a share of each twin's rate.
const AIMS: [(&str, f64, f64); 2] = [("list", 0.6, 8.0), ("create", 0.7, 9.0)];

/// Requests per second of each round, and the median of the rounds' ratios.
pub fn saturation(kind: &str, rounds: &[Value]) {
    println!("\n{kind}, requests/s at saturation:");
    println!(
        "  {:10}{}   processor ms a request: server, Postgres, load",
        "",
        (1..=rounds.len())
            .map(|round| format!("{:>9}", format!("round {round}")))
            .collect::<String>()
    );
    for name in ["product", "native", "python"] {
        let rates: String =
            rounds.iter().map(|round| format!("{:9.0}", rate(&round[name]))).collect();
        let cost = |part: &str| {
            median(rounds.iter().map(|round| number(&round[name]["processor_ms"][part])))
        };
        println!(
            "  {name:10}{rates}   {:.3}, {:.3}, {:.3}",
            cost("server"),
            cost("postgres"),
            cost("load")
        );
    }
    let aim = AIMS.iter().find(|(name, ..)| *name == kind);
    for (twin, aim) in [("native", aim.map(|aim| aim.1)), ("python", aim.map(|aim| aim.2))] {
        let ratios = rounds.iter().map(|round| rate(&round["product"]) / rate(&round[twin]));
        let (ratio, aim) = (median(ratios), aim.unwrap_or(0.0));
        println!("  product / {twin}: {ratio:.2}   (aim {aim})");
    }
}

/// Latencies by kind of request, in the median of the rounds, and each round's 95th percentile.
pub fn latencies(rounds: &[Value]) {
    let of_rounds = |figure: &dyn Fn(&Value) -> f64| median(rounds.iter().map(figure));
    println!(
        "  {:.0} requests/s over {} connections; processor ms a request: server {:.3}, Postgres {:.3}",
        of_rounds(&rate),
        rounds[0]["connections"],
        of_rounds(&|round| number(&round["processor_ms"]["server"])),
        of_rounds(&|round| number(&round["processor_ms"]["postgres"])),
    );
    let columns = ["count", "p50", "p95", "p99", "p99.9", "max"];
    println!("  {:32}{}   (ms)", "", columns.map(|column| format!("{column:>9}")).concat());
    let kinds = rounds[0]["kinds"].as_object().into_iter().flatten().map(|(kind, _)| kind.as_str());
    for kind in kinds.chain(["all"]) {
        let row = |round: &Value| match kind {
            "all" => round["latency_ms"].clone(),
            kind => round["kinds"][kind].clone(),
        };
        let cells = columns.map(|column| {
            let cell = of_rounds(&|round| number(&row(round)[column]));
            if column == "count" { format!("{cell:9.0}") } else { format!("{cell:9.2}") }
        });
        println!("  {kind:32}{}", cells.concat());
    }
    let line = |name: &str, figure: &dyn Fn(&Value) -> f64| {
        let figures: String = rounds.iter().map(|round| format!("{:9.1}", figure(round))).collect();
        println!("  {name:41}{figures}");
    };
    line("failures", &|round| {
        let failures = round["failures"].as_object();
        // The sum of no floats is -0.
        failures.map_or(f64::NAN, |failures| failures.values().map(number).fold(0.0, |a, b| a + b))
    });
    line("p95 of each round", &|round| number(&round["latency_ms"]["p95"]));
    line("% of the processors taken by others", &|round| number(&round["stolen"]) * 100.0);
}

fn rate(report: &Value) -> f64 {
    number(&report["per_second"])
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

pub fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    match figures.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => figures[length / 2],
        length => f64::midpoint(figures[length / 2 - 1], figures[length / 2]),
    }
}
