//! The typed export `rondo:recurrence/engine`, a thin layer over `domain`.

use rondo_contract::problem::FieldError;
use rondo_contract::recurrence_rule;
use rondo_domain::Violation;
use rondo_domain::jiff::civil::DateTime;
use rondo_domain::recurrence::{PREVIEW_SLOTS_MAX, Series, Slot};
use rondo_domain::zone::Zone;

use crate::Component;
use crate::bindings::exports::rondo::recurrence::engine;

impl engine::Guest for Component {
    fn preview(
        rule: String,
        anchor: String,
        time_zone: String,
        count: u32,
    ) -> Result<Vec<engine::Slot>, engine::Refusal> {
        let series = series(&rule, &anchor, &time_zone)?;
        let count = usize::try_from(count).unwrap_or(PREVIEW_SLOTS_MAX);
        Ok(series.preview(count).iter().map(|slot| typed(&series, slot)).collect())
    }

    fn next(
        rule: String,
        anchor: String,
        time_zone: String,
        after: String,
    ) -> Result<Option<engine::Slot>, engine::Refusal> {
        let series = series(&rule, &anchor, &time_zone)?;
        let slot = series.slot_after(local(&after)?);
        Ok(slot.and_then(|local| Some(typed(&series, &Slot { local, due: series.due(local)? }))))
    }
}

fn series(rule: &str, anchor: &str, time_zone: &str) -> Result<Series, engine::Refusal> {
    let rule = serde_json::from_str(rule).map_err(|error| engine::Refusal {
        code: "malformed".to_owned(),
        detail: format!("the rule is no JSON: {error}"),
    })?;
    let rule = recurrence_rule::from_json(&rule).map_err(|errors| first(&errors))?;
    let zone = Zone::parse(time_zone).map_err(refusal)?;
    let series = Series::new(rule, local(anchor)?, zone);
    series.validate().map_err(refusal)?;
    Ok(series)
}

fn local(text: &str) -> Result<DateTime, engine::Refusal> {
    let expected = "a local date and time such as 2031-03-30T14:00:00";
    text.parse().map_err(|_| refusal(Violation::Malformed { expected }))
}

fn refusal(violation: Violation) -> engine::Refusal {
    engine::Refusal { code: violation.code().to_owned(), detail: violation.to_string() }
}

fn first(errors: &[FieldError]) -> engine::Refusal {
    errors.first().map_or_else(
        || refusal(Violation::NeverMatches),
        |error| engine::Refusal {
            code: error.code.to_string(),
            detail: format!("{} {}", error.pointer, error.detail),
        },
    )
}

fn typed(series: &Series, slot: &Slot) -> engine::Slot {
    let utc = slot.due.end(series.zone());
    engine::Slot { local: slot.local.to_string(), utc: utc.to_string() }
}
