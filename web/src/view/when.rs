//! Pickers of moments: in words, by a quick choice, by a calendar that keys move in, with a time or without.

use rondo_device::Edit;
use rondo_domain::due::Due;
use rondo_domain::instant;
use rondo_domain::jiff::ToSpan as _;
use rondo_domain::jiff::civil::{Date, Time};
use serde_json::{Value, json};
use wasm_bindgen::JsCast as _;
use wasm_bindgen_futures::spawn_local;
use web_sys::{HtmlElement, KeyboardEvent};

use crate::command;
use crate::dom::*;
use crate::format;
use crate::icon::{Icon, icon, turning};
use crate::net::{Reading as _, Request};
use crate::platform::first_day;
use crate::popup;
use crate::session;
use crate::store::{now, store};
use crate::text::{Text, language, locale, t, with};
use crate::view::menu::quick_days;

/// Offers of how long before it is due a task reminds.
const OFFSETS: [(&str, Text); 6] = [
    ("PT0S", Text::AtDue),
    ("PT10M", Text::TenMinutesBefore),
    ("PT30M", Text::HalfHourBefore),
    ("PT1H", Text::HourBefore),
    ("P1D", Text::DayBefore),
    ("P7D", Text::WeekBefore),
];

/// How long a reminder that has come can be put off, with words for it.
const SNOOZES: [(&str, Text, i64); 3] = [
    ("PT10M", Text::SnoozeMinutes, 10),
    ("PT1H", Text::SnoozeHour, 1),
    ("PT24H", Text::SnoozeHours, 24),
];

pub fn due(uids: Vec<String>) -> View {
    let current = store().read(|device| device.task(uids.first()?)?.due);
    let keep_time = uids.clone();
    picker(current, move |picked| match picked {
        Picked::Day(day) => command::reschedule(&keep_time, day),
        Picked::Exact(due) => set(&uids, "due_date", "due_day", Some(due)),
        Picked::None => set(&uids, "due_date", "due_day", None),
    })
}

pub fn start(uid: String) -> View {
    let current = store().read(|device| device.task(&uid)?.start);
    let uids = vec![uid];
    picker(current, move |picked| {
        let start = match picked {
            Picked::Day(day) => Some(Due::On(day)),
            Picked::Exact(due) => Some(due),
            Picked::None => None,
        };
        set(&uids, "start_date", "start_day", start);
    })
}

fn set(uids: &[String], date: &str, day: &str, due: Option<Due>) {
    match due {
        Some(Due::At(at)) => command::set(uids, date, &instant::format(at).into()),
        Some(Due::On(on)) => command::set(uids, day, &on.to_string().into()),
        None => {
            let is_day = store().read(|device| {
                let row = device.task(uids.first()?)?;
                let current = if day == "due_day" { row.due } else { row.start };
                current?.day()
            });
            command::set(uids, if is_day.is_some() { day } else { date }, &Value::Null);
        }
    }
}

/// What a person picked.
enum Picked {
    /// A day, whatever the time of day.
    Day(Date),
    Exact(Due),
    None,
}

fn picker(current: Option<Due>, pick: impl Fn(Picked) + Send + Sync + 'static) -> View {
    let zone = store().read(rondo_device::Device::zone);
    let today = command::today();
    let day = current.map(|due| format::day_of(due, &zone));
    let shown = RwSignal::new(day.unwrap_or(today));
    let pick = std::sync::Arc::new(move |picked| {
        popup::close();
        pick(picked);
    });
    let time = match current {
        Some(Due::At(at)) => Some(zone.local_of(at).time()),
        _ => None,
    };
    let words = words_field(pick.clone());
    let by_choice = pick.clone();
    let quick = quick_days().into_iter().map(move |(text, day)| {
        let pick = by_choice.clone();
        view! {
            <button class="menu-item" on:click=move |_| pick(Picked::Day(day))>
                <span>{t(text)}</span><span class="end">{format::date(day, "weekdayDay")}</span>
            </button>
        }
    });
    let (clear, by_calendar, by_time) = (pick.clone(), pick.clone(), pick);
    let time = time.map(|time| format!("{:02}:{:02}", time.hour(), time.minute()));
    let typed = RwSignal::new(time.unwrap_or_default());
    // At Enter or by the button: a browser reports a change before all of a time is typed.
    let set_time = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let time = typed.get_untracked().parse::<Time>();
        let day = day.unwrap_or(today);
        let due = match time {
            Ok(time) => zone.instant_of(day.to_datetime(time)).map(Due::At),
            Err(_) => Some(Due::On(day)),
        };
        if let Some(due) = due {
            by_time(Picked::Exact(due));
        }
    };
    view! {
        <div role="dialog" aria-label=t(Text::Date)>
            {words}
            {quick.collect::<Vec<_>>()}
            <hr/>
            <div class="pad">
                {calendar(shown, day, today, move |day| by_calendar(Picked::Day(day)))}
                <form class="field" on:submit=set_time>
                    <label for="time">{t(Text::Time)}</label>
                    <span class="line">
                        <input class="input" type="time" name="time" id="time" prop:value=typed
                            on:input=move |event| typed.set(event_target_value(&event))/>
                        <button class="button" type="submit">{t(Text::Save)}</button>
                    </span>
                </form>
            </div>
            {current.map(|_| view! {
                <button class="menu-item" on:click=move |_| clear(Picked::None)>{t(Text::ClearDate)}</button>
            })}
        </div>
    }
}

/// A field for a date in words, by the quick-add grammar.
fn words_field(pick: std::sync::Arc<impl Fn(Picked) + Send + Sync + 'static>) -> View {
    let fault = RwSignal::new(false);
    let text = RwSignal::new(String::new());
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        match understood(&text.get_untracked()) {
            Some(due) => pick(Picked::Exact(due)),
            None => fault.set(true),
        }
    };
    view! {
        <form class="pad" on:submit=submit>
            <input class="input" name="due_date" data-first="" autocomplete="off" aria-label=t(Text::InWords)
                placeholder=t(Text::InWords) aria-invalid=move || fault.get().then_some("true")
                on:input=move |event| { fault.set(false); text.set(event_target_value(&event)) }/>
            {show(move || fault.get(), move || view! { <p class="error" role="alert">{t(Text::NotUnderstood)}</p> })}
        </form>
    }
}

/// The moment that words stand for.
fn understood(text: &str) -> Option<Due> {
    let line = json!({ "text": format!("x {text}"), "language": language() });
    let preview = store().read(|device| device.preview(line.as_object()?, now()).ok())?;
    let task = &preview["task"];
    // All words have to belong to the date.
    if task["title"] != "x" {
        return None;
    }
    let at = task["due_date"].as_str().and_then(|text| instant::parse(text).ok()).map(Due::At);
    at.or_else(|| task["due_day"].as_str()?.parse().ok().map(Due::On))
}

/// A month of days. Arrow keys move by days and weeks, page keys by months.
fn calendar(
    shown: RwSignal<Date>,
    chosen: Option<Date>,
    today: Date,
    pick: impl Fn(Date) + Send + Sync + 'static,
) -> View {
    let element = NodeRef::new();
    let pick = std::sync::Arc::new(pick);
    let month = move || format::date(shown.get(), "month");
    let turn = move |months: i32| {
        shown.update(|shown| {
            if let Ok(moved) = shown.checked_add(months.months()) {
                *shown = moved;
            }
        });
    };
    let keys = move |event: KeyboardEvent| {
        let span = match event.key().as_str() {
            "ArrowLeft" => (-1).days(),
            "ArrowRight" => 1.days(),
            "ArrowUp" => (-7).days(),
            "ArrowDown" => 7.days(),
            "PageUp" => (-1).months(),
            "PageDown" => 1.months(),
            _ => return,
        };
        event.prevent_default();
        event.stop_propagation();
        if let Ok(moved) = shown.get_untracked().checked_add(span) {
            shown.set(moved);
            crate::platform::after(0, move || {
                let day = element
                    .get_untracked()
                    .and_then(|element| element.query_selector("[tabindex='0']").ok().flatten());
                if let Some(day) = day.and_then(|day| day.dyn_into::<HtmlElement>().ok()) {
                    let _ = day.focus();
                }
            });
        }
    };
    let first = first_day(&locale());
    let names = week(shown.get_untracked(), first).map(|day| {
        view! { <span role="columnheader" aria-label=format::date(day, "weekday")>{format::date(day, "weekdayShort")}</span> }
    });
    let cell = move |day: Date, focused: Date| {
        let class = match day {
            day if day == today => "today",
            day if day.month() != focused.month() => "other",
            _ => "",
        };
        let pick = pick.clone();
        view! {
            <button type="button" class=class role="gridcell" aria-selected=(chosen == Some(day)).to_string()
                aria-label=format::date(day, "dayYear") tabindex=if day == focused { "0" } else { "-1" }
                on:click=move |_| pick(day)>
                {day.day()}
            </button>
        }
    };
    let weeks = move || {
        let focused = shown.get();
        let cell = cell.clone();
        let rows = weeks_of(focused, first).into_iter().map(move |week| {
            let days: Vec<_> = week.into_iter().map(|day| cell(day, focused)).collect();
            view! { <div role="row" class="week">{days}</div> }
        });
        rows.collect::<Vec<_>>()
    };
    view! {
        <div class="calendar-head">
            <button type="button" class="tool s" aria-label=t(Text::PreviousMonth) on:click=move |_| turn(-1)>{turning(Icon::Left)}</button>
            <span aria-live="polite">{month}</span>
            <button type="button" class="tool s" aria-label=t(Text::NextMonth) on:click=move |_| turn(1)>{turning(Icon::Right)}</button>
        </div>
        <div class="calendar" role="grid" aria-label=month node_ref=element on:keydown=keys>
            <div role="row" class="week">{names.collect::<Vec<_>>()}</div>
            {weeks}
        </div>
    }
}

/// The days of a day's week. `first` is its first day, 1 for Monday to 7 for Sunday.
pub fn week(day: Date, first: u8) -> impl Iterator<Item = Date> {
    let weekday = day.weekday().to_monday_one_offset();
    let back = i32::from((weekday + 7 - i8::try_from(first).unwrap_or(1)) % 7);
    (0..7).filter_map(move |at| day.checked_add((at - back).days()).ok())
}

/// The weeks that a day's month is in.
pub fn weeks_of(day: Date, first: u8) -> Vec<Vec<Date>> {
    let mut weeks = Vec::new();
    let mut start = Some(day.first_of_month());
    while let Some(at) = start {
        let days: Vec<Date> = week(at, first).collect();
        start = days.last().and_then(|last| last.tomorrow().ok());
        weeks.push(days);
        start = start.filter(|next| (next.year(), next.month()) == (day.year(), day.month()));
    }
    weeks
}

/// When a task reminds: offsets before it is due, or a moment. Its other reminders stand below.
pub fn reminder(uid: String) -> View {
    let Some(row) = store().read(|device| device.task(&uid).cloned()) else { return View::empty() };
    let (has_due, has_own) = (row.due.is_some(), row.reminder_offset.is_some());
    let offsets = OFFSETS.into_iter().filter(|_| has_due).map(|(offset, text)| {
        let (uid, is_on) = (uid.clone(), row.reminder_offset.as_deref() == Some(offset));
        let act = move |_| {
            popup::close();
            let value = if is_on { Value::Null } else { offset.into() };
            command::set(std::slice::from_ref(&uid), "reminder_offset", &value);
        };
        view! {
            <button class="menu-item" role="menuitemcheckbox" aria-checked=is_on.to_string() on:click=act>
                <span>{t(text)}</span>{is_on.then(|| view! { <span class="end">{icon(Icon::Check)}</span> })}
            </button>
        }
    });
    let text = RwSignal::new(String::new());
    let fault = RwSignal::new(false);
    let (of_form, of_list) = (uid.clone(), uid.clone());
    let add = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let Some(reminder) = reminder_of(&text.get_untracked()) else { return fault.set(true) };
        popup::close();
        // The first one before it is due is the task's own, which its next occurrences have, too.
        match reminder.get("offset") {
            Some(offset) if !has_own => {
                command::set(std::slice::from_ref(&of_form), "reminder_offset", offset)
            }
            _ => {
                store().edit(vec![Edit::add_reminder(&of_form, reminder)]);
            }
        }
    };
    let fired = last_fired(row.id);
    let snooze = |id: i64, (length, text, count): (&'static str, Text, i64)| {
        let act = move |_| {
            popup::close();
            store().edit(vec![Edit::Snooze { id, snooze: command::members("for", length.into()) }]);
        };
        let label = format!("{}: {}", t(Text::Snooze), with(text, count));
        view! { <button class="menu-item" on:click=act>{icon(Icon::Clock)}<span>{label}</span></button> }
    };
    let snoozes = move || {
        fired.get().map(|id| SNOOZES.map(|offer| snooze(id, offer)).into_iter().collect::<Vec<_>>())
    };
    let others = store().read(|device| {
        let zone = device.zone();
        let others = device
            .reminders(&of_list)
            .into_iter()
            .filter(|r| r.kind != "task" && r.status == "armed");
        let others = others.filter_map(|r| {
            Some((r.id, format::moment(instant::parse(&r.remind_at).ok()?, &zone)))
        });
        others.collect::<Vec<_>>()
    });
    let others = others.into_iter().map(|(id, words)| {
        let remove = move |_| {
            popup::close();
            store().edit(vec![Edit::RemoveReminder { id }]);
        };
        view! {
            <button class="menu-item" on:click=remove title=t(Text::RemoveReminder)>
                {icon(Icon::Bell)}<span>{words}</span><span class="end">{icon(Icon::Close)}</span>
                <span class="sr">{t(Text::RemoveReminder)}</span>
            </button>
        }
    });
    view! {
        <div role="group" aria-label=t(Text::Reminder)>
            <form class="pad" on:submit=add>
                <input class="input" name="reminder_offset" data-first="" autocomplete="off"
                    aria-label=t(Text::ReminderInWords) placeholder=t(Text::ReminderInWords)
                    aria-invalid=move || fault.get().then_some("true")
                    on:input=move |event| { fault.set(false); text.set(event_target_value(&event)) }/>
                {show(move || fault.get(), move || view! { <p class="error" role="alert">{t(Text::NotUnderstood)}</p> })}
                {(!has_due).then(|| view! { <p class="hint">{t(Text::NeedsDue)}</p> })}
            </form>
            <div role="menu" aria-label=t(Text::Reminder)>{offsets.collect::<Vec<_>>()}</div>
            {others.collect::<Vec<_>>()}
            {snoozes}
        </div>
    }
}

/// The reminder of a task that came last, once the server has told: the device has those that are still to come.
fn last_fired(task: i64) -> RwSignal<Option<i64>> {
    let fired = RwSignal::new(None);
    if task > 0 {
        spawn_local(async move {
            let request = Request::get(format!("/api/reminders?status=fired&task_id={task}"));
            if let Ok(answer) = session::send(&request).await {
                let found = answer.json();
                let ids =
                    found.as_array().into_iter().flatten().filter_map(|one| one["id"].as_i64());
                fired.try_set(ids.max());
            }
        });
    }
    fired
}

/// A reminder in words, such as `30 min before` or `tomorrow 9am`, as a member of the API.
fn reminder_of(text: &str) -> Option<rondo_device::Members> {
    // The day gives offsets something to count from.
    let line = json!({ "text": format!("x 2099-01-01 !{}", text.trim()), "language": language() });
    let preview = store().read(|device| device.preview(line.as_object()?, now()).ok())?;
    if preview["task"]["title"] != "x" {
        return None;
    }
    let own = &preview["task"]["reminder_offset"];
    if own.is_string() {
        return Some(command::members("offset", own.clone()));
    }
    let at = &preview["further_reminders"][0]["remind_at"];
    at.is_string().then(|| command::members("remind_at", at.clone()))
}
