//! The editor of a recurrence, with the rule in words and its next dates.

use rondo_contract::recurrence_rule;
use rondo_device::{Edit, Scope};
use rondo_domain::due::Due;
use rondo_domain::instant;
use rondo_domain::quick_add::{Language, describe_in};
use rondo_domain::recurrence::{Anchor, Series};
use rondo_domain::zone::Zone;
use serde_json::{Map, Value, json};

use crate::dialog;
use crate::dom::*;
use crate::format;
use crate::store::{now, store};
use crate::text::{Text, language, locale, t};
use crate::view::when::week;

/// How many of the next dates are shown.
const DATES_SHOWN: usize = 10;

/// What stands in the fields.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Form {
    /// `daily` and so on, `rrule`, or empty for no recurrence.
    frequency: String,
    interval: String,
    weekdays: Vec<i64>,
    day_of_month: String,
    ends: Ends,
    end_date: String,
    count: String,
    rrule: String,
    from_completion: bool,
    /// Members that the form does not show, such as `catch_up`.
    rest: Map<String, Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    Never,
    On,
    After,
}

impl Form {
    fn of(rule: Option<&Value>) -> Self {
        let none = Value::Null;
        let rule = rule.unwrap_or(&none);
        let text = |name: &str| rule[name].as_str().unwrap_or_default().to_owned();
        let number = |name: &str| rule[name].as_i64().map(|n| n.to_string()).unwrap_or_default();
        let rrule = text("rrule");
        let frequency = if rrule.is_empty() { text("frequency") } else { "rrule".to_owned() };
        let ends = match (&rule["end_date"], &rule["count"]) {
            (Value::String(_), _) => Ends::On,
            (_, Value::Number(_)) => Ends::After,
            _ => Ends::Never,
        };
        let kept = ["month_end", "catch_up"];
        let rest = kept.iter().filter(|name| rule[**name].is_string());
        Self {
            frequency,
            interval: Some(number("interval"))
                .filter(|n| !n.is_empty())
                .unwrap_or_else(|| "1".to_owned()),
            weekdays: rule["days_of_week"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_i64)
                .collect(),
            day_of_month: number("day_of_month"),
            ends,
            end_date: text("end_date").get(..10).unwrap_or_default().to_owned(),
            count: number("count"),
            rrule,
            from_completion: rule["basis"] == "completion",
            rest: rondo_device::members(rest.map(|name| ((*name).to_owned(), rule[*name].clone()))),
        }
    }

    /// The rule in the form of the API; null for none.
    fn rule(&self) -> Value {
        if self.frequency.is_empty() {
            return Value::Null;
        }
        let mut rule = self.rest.clone();
        if self.frequency == "rrule" {
            // It applies to a frequency alone.
            rule.remove("month_end");
        }
        let mut put = |name: &str, value: Value| rule.insert(name.to_owned(), value);
        let number =
            |text: &str| text.trim().parse::<i64>().map_or_else(|_| json!(text), Value::from);
        if self.frequency == "rrule" {
            put("rrule", json!(self.rrule.trim()));
        } else {
            put("frequency", json!(self.frequency));
            put("interval", number(&self.interval));
            if self.frequency == "weekly" && !self.weekdays.is_empty() {
                put("days_of_week", json!(self.weekdays));
            }
            if self.frequency == "monthly" && !self.day_of_month.trim().is_empty() {
                put("day_of_month", number(&self.day_of_month));
            }
            match self.ends {
                Ends::Never => {}
                Ends::On => {
                    put("end_date", json!(self.end_date));
                }
                Ends::After => {
                    put("count", number(&self.count));
                }
            }
        }
        put("basis", json!(if self.from_completion { "completion" } else { "schedule" }));
        rule.into()
    }
}

/// A series in the person's language.
pub fn in_words(series: &Series) -> String {
    describe_in(series, Language::parse(language()).unwrap_or(Language::English))
}

/// The series of a rule from a task's due date on. None if there is no rule or it has a fault.
pub fn series_of(rule: &Value, task: &Value, zone: &Zone) -> Option<Series> {
    let at = task["due_date"].as_str().and_then(|text| instant::parse(text).ok()).map(Due::At);
    let due = at.or_else(|| task["due_day"].as_str()?.parse().ok().map(Due::On));
    series(rule, due, zone).ok()?
}

fn series(rule: &Value, due: Option<Due>, zone: &Zone) -> Result<Option<Series>, String> {
    if rule.is_null() {
        return Ok(None);
    }
    let words = |errors: Vec<rondo_contract::problem::FieldError>| {
        errors.into_iter().map(|error| error.detail).collect::<Vec<_>>().join(" ")
    };
    let rule = recurrence_rule::from_json(rule).map_err(words)?;
    let due = due.unwrap_or_else(|| Due::On(zone.local_of(now()).date()));
    let series = Series::new(rule, Anchor::of(due, zone), zone.clone());
    series.validate().map_err(|fault| fault.to_string())?;
    Ok(Some(series))
}

pub fn editor(uid: String) -> View {
    let Some(row) = store().read(|device| device.task(&uid).cloned()) else { return View::empty() };
    let was_recurring = row.recurrence_rule.is_some();
    let form = RwSignal::new(Form::of(row.recurrence_rule.as_ref()));
    let scope = RwSignal::new(String::from("future"));
    let zone = store().zone();
    let due = row.due;
    let preview = Memo::new(move |_| match series(&form.with(Form::rule), due, &zone) {
        Ok(None) => (String::new(), Vec::new(), String::new()),
        Ok(Some(series)) => {
            let dates = series.preview(DATES_SHOWN);
            let dates = dates.iter().map(|slot| match slot.due {
                Due::On(day) => format::date(day, "weekdayDay"),
                Due::At(at) => format::moment(at, series.zone()),
            });
            (in_words(&series), dates.collect(), String::new())
        }
        Err(fault) => (String::new(), Vec::new(), fault),
    });
    let save = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        if preview.with_untracked(|(_, _, fault)| !fault.is_empty()) {
            return;
        }
        let mut members =
            crate::command::members("recurrence_rule", form.with_untracked(Form::rule));
        if due.is_none() {
            let today = crate::command::today();
            members.insert("due_day".to_owned(), today.to_string().into());
        }
        let scope = match scope.get_untracked().as_str() {
            "future" if was_recurring => Some(Scope::Future),
            "all" if was_recurring => Some(Scope::All),
            _ => None,
        };
        dialog::close();
        store().edit(vec![Edit::Patch { uid: uid.clone(), members, scope }]);
    };
    let is = move |frequency: &'static str| form.with(|form| form.frequency == frequency);
    let is_structured = move || form.with(|form| !matches!(form.frequency.as_str(), "" | "rrule"));
    let frequencies = [
        ("", Text::Never),
        ("daily", Text::Daily),
        ("weekly", Text::Weekly),
        ("monthly", Text::Monthly),
        ("yearly", Text::Yearly),
        ("rrule", Text::OwnRule),
    ];
    let options = frequencies.into_iter().map(move |(value, text)| {
        view! { <option value=value selected=move || is(value)>{t(text)}</option> }
    });
    view! {
        <form class="dialog" on:submit=save>
            <h2 id="dialog-title">{t(Text::Repeat)}</h2>
            <input type="hidden" name="recurring" value=move || (!is("")).to_string()/>
            <label class="field"><span>{t(Text::Frequency)}</span>
                <select class="input" name="frequency" data-first=""
                    on:change=move |event| form.update(|form| form.frequency = event_target_value(&event))>
                    {options.collect::<Vec<_>>()}
                </select>
            </label>
            {show(is_structured, move || interval(form))}
            {show(move || is("weekly"), move || weekdays(form))}
            {show(move || is("monthly"), move || view! {
                <label class="field"><span>{t(Text::DayOfMonth)}</span>
                    <input class="input" type="number" name="day_of_month" min="1" max="31"
                        prop:value=move || form.with(|form| form.day_of_month.clone())
                        on:input=move |event| form.update(|form| form.day_of_month = event_target_value(&event))/>
                </label>
            })}
            {show(is_structured, move || ends(form))}
            {show(move || is("rrule"), move || view! {
                <label class="field"><span>{t(Text::OwnRule)}</span>
                    <input class="input" name="rrule" placeholder="FREQ=MONTHLY;BYDAY=2TU" autocomplete="off"
                        prop:value=move || form.with(|form| form.rrule.clone())
                        on:input=move |event| form.update(|form| form.rrule = event_target_value(&event))/>
                </label>
            })}
            {show(move || !is(""), move || view! {
                <label class="check">
                    <input type="checkbox" prop:checked=move || form.with(|form| form.from_completion)
                        on:change=move |event| form.update(|form| form.from_completion = event_target_checked(&event))/>
                    <span>{t(Text::FromCompletion)}</span>
                </label>
            })}
            {was_recurring.then(|| scopes(scope))}
            <div aria-live="polite">
                {move || preview.with(|(words, dates, fault)| shown(words, dates, fault))}
            </div>
            <div class="buttons end">
                <button type="button" class="button" on:click=|_| dialog::close()>{t(Text::Cancel)}</button>
                <button type="submit" class="button main-button">{t(Text::Save)}</button>
            </div>
        </form>
    }
}

fn shown(words: &str, dates: &[String], fault: &str) -> View {
    if !fault.is_empty() {
        return view! { <p class="error">{fault.to_owned()}</p> };
    }
    let items: Vec<_> = dates.iter().map(|date| view! { <li>{date.clone()}</li> }).collect();
    (!words.is_empty())
        .then(|| view! { <p>{words.to_owned()}</p><h3>{t(Text::NextTen)}</h3><ol class="hint">{items}</ol> })
        .into_view()
}

fn interval(form: RwSignal<Form>) -> View {
    view! {
        <label class="field"><span>{t(Text::Interval)}</span>
            <input class="input" type="number" name="interval" min="1" max="365" required=true
                prop:value=move || form.with(|form| form.interval.clone())
                on:input=move |event| form.update(|form| form.interval = event_target_value(&event))/>
        </label>
    }
}

fn weekdays(form: RwSignal<Form>) -> View {
    let days = week(crate::command::today(), crate::platform::first_day(&locale())).map(|day| {
        let number = i64::from(day.weekday().to_monday_zero_offset());
        let is_on = move || form.with(|form| form.weekdays.contains(&number));
        let toggle = move |_| {
            form.update(|form| match form.weekdays.iter().position(|day| *day == number) {
                Some(at) => {
                    form.weekdays.remove(at);
                }
                None => {
                    form.weekdays.push(number);
                    rondo_domain::order::sort(&mut form.weekdays);
                }
            });
        };
        view! {
            <button type="button" aria-pressed=move || is_on().to_string() aria-label=format::date(day, "weekday") on:click=toggle>
                {format::date(day, "weekdayShort")}
            </button>
        }
    });
    view! {
        <div class="field" role="group" aria-label=t(Text::Weekdays)>
            <span>{t(Text::Weekdays)}</span>
            <div class="days">{days.collect::<Vec<_>>()}</div>
        </div>
    }
}

fn ends(form: RwSignal<Form>) -> View {
    let is = move |ends: Ends| form.with(|form| form.ends == ends);
    let choose = move |event: web_sys::Event| {
        let ends = match event_target_value(&event).as_str() {
            "on" => Ends::On,
            "after" => Ends::After,
            _ => Ends::Never,
        };
        form.update(|form| form.ends = ends);
    };
    view! {
        <label class="field"><span>{t(Text::Ends)}</span>
            <select class="input" name="ends" on:change=choose>
                <option value="never" selected=move || is(Ends::Never)>{t(Text::Never)}</option>
                <option value="on" selected=move || is(Ends::On)>{t(Text::EndsOn)}</option>
                <option value="after" selected=move || is(Ends::After)>{t(Text::EndsAfter)}</option>
            </select>
        </label>
        {show(move || is(Ends::On), move || view! {
            <label class="field"><span>{t(Text::Date)}</span>
                <input class="input" type="date" name="end_date" required=true
                    prop:value=move || form.with(|form| form.end_date.clone())
                    on:input=move |event| form.update(|form| form.end_date = event_target_value(&event))/>
            </label>
        })}
        {show(move || is(Ends::After), move || view! {
            <label class="field"><span>{t(Text::Times)}</span>
                <input class="input" type="number" name="count" min="1" max="10000" required=true
                    prop:value=move || form.with(|form| form.count.clone())
                    on:input=move |event| form.update(|form| form.count = event_target_value(&event))/>
            </label>
        })}
    }
}

fn scopes(scope: RwSignal<String>) -> View {
    let options =
        [("future", Text::ScopeFuture), ("this", Text::ScopeThis), ("all", Text::ScopeAll)];
    let options =
        options.into_iter().map(|(value, text)| view! { <option value=value>{t(text)}</option> });
    view! {
        <label class="field"><span>{t(Text::ScopeQuestion)}</span>
            <select class="input" name="scope" on:change=move |event| scope.set(event_target_value(&event))>
                {options.collect::<Vec<_>>()}
            </select>
        </label>
    }
}
