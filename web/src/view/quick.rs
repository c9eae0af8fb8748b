//! The quick-add line: what it understands is marked while a person types, and can be switched off.

use rondo_device::Members;
use serde_json::{Value, json};
use web_sys::KeyboardEvent;

use crate::dom::*;
use crate::format;
use crate::icon::{Icon, icon, small};
use crate::store::{now, store, words};
use crate::text::{Text, language, t, with};
use crate::toast::{self, Action};

/// How many of the next dates of a rule are shown.
const DATES_SHOWN: usize = 4;

/// A part of the line, in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    start: usize,
    end: usize,
    text: String,
    kind: String,
    is_on: bool,
}

/// What the line stands for.
#[derive(Debug, Clone, PartialEq, Default)]
struct Reading {
    parts: Vec<Part>,
    words: String,
    dates: Vec<String>,
    fault: Option<String>,
}

/// The line. `more` are members that its place gives each task, such as the list.
pub fn quick_add(more: Signal<Members>) -> View {
    let text = RwSignal::new(String::new());
    let ignored = RwSignal::new(Vec::<(usize, usize)>::new());
    let element = NodeRef::new();
    let reading = Memo::new(move |_| match text.with(|text| text.trim().is_empty()) {
        true => Reading::default(),
        false => read(&text.get(), &ignored.get(), &more.get()),
    });
    let add = move || {
        if text.with_untracked(|text| text.trim().is_empty()) {
            return;
        }
        let line = line(&text.get_untracked(), &ignored.get_untracked());
        let more = more.get_untracked();
        match store().change(|device| device.add_line(&line, &more, now())) {
            Ok(uid) => {
                text.set(String::new());
                ignored.set(Vec::new());
                let title = store().read(|device| device.task(&uid).map(|row| row.title.clone()));
                toast::show(with(Text::TaskAdded, title.unwrap_or_default()), Action::Undo);
            }
            Err(faults) => toast::show(words(&faults), Action::None),
        }
        if let Some(element) = element.get_untracked() {
            let _ = element.focus();
        }
    };
    let keys = move |event: KeyboardEvent| match event.key().as_str() {
        // Enter ends a word that an input method composes.
        "Enter" if !event.is_composing() => {
            event.prevent_default();
            add();
        }
        "Escape" => {
            event.stop_propagation();
            if let Some(element) = element.get_untracked() {
                let _ = element.blur();
            }
        }
        _ => {}
    };
    let is_used = move || text.with(|text| !text.is_empty());
    view! {
        <form class="quick" on:submit=move |event| { event.prevent_default(); add() }>
            <div class="quick-line">
                {icon(Icon::Plus)}
                <div class="quick-text">
                    <div class="quick-marks" aria-hidden="true">{move || marks(&text.get(), &reading.get().parts)}</div>
                    <textarea
                        id="quick-add" name="title" rows="1" autocomplete="off" enterkeyhint="done" spellcheck="true"
                        aria-label=t(Text::AddTask) placeholder=t(Text::AddTask) aria-describedby="quick-reading"
                        node_ref=element prop:value=text
                        on:input=move |event| text.set(event_target_value(&event))
                        on:keydown=keys
                    ></textarea>
                </div>
            </div>
            {show(is_used, move || more_of(reading, ignored))}
        </form>
    }
}

/// What is below a line that has words.
#[inline(never)]
fn more_of(reading: Memo<Reading>, ignored: RwSignal<Vec<(usize, usize)>>) -> View {
    view! {
        <div class="quick-more">
            {move || chips(reading, ignored)}
            <button class="button main-button" type="submit">{t(Text::Add)}</button>
            <p class="dates" id="quick-reading" aria-live="polite">
                {move || reading.with(|reading| reading.fault.clone().unwrap_or_else(|| reading.words.clone()))}
                {move || reading.with(|reading| {
                    (!reading.dates.is_empty())
                        .then(|| view! { <br/>{with(Text::NextDates, reading.dates.join(" · "))} })
                })}
            </p>
        </div>
    }
}

/// The request of the quick-add route.
fn line(text: &str, ignored: &[(usize, usize)]) -> Members {
    let ranges = ignored.iter().map(|(start, end)| json!({ "start": start, "end": end }));
    let body =
        json!({ "text": text, "language": language(), "ignored": ranges.collect::<Vec<_>>() });
    body.as_object().cloned().unwrap_or_default()
}

#[inline(never)]
fn read(text: &str, ignored: &[(usize, usize)], more: &Members) -> Reading {
    store().now.track();
    let found = store().account(|device| device.preview(&line(text, ignored), now()));
    let preview = match found {
        Ok(preview) => preview,
        // Of a line that is only phrases so far, the title is still to come.
        Err(faults) if faults.iter().any(|fault| fault.code == "required") => {
            return Reading::default();
        }
        Err(faults) => return Reading { fault: Some(words(&faults)), ..Reading::default() },
    };
    let characters: Vec<char> = text.chars().collect();
    let part = |start: usize, end: usize, kind: &str, is_on: bool| Part {
        start,
        end,
        text: characters.get(start..end).unwrap_or_default().iter().collect(),
        kind: kind.to_owned(),
        is_on,
    };
    let number =
        |value: &Value| value.as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or_default();
    let spans = preview["spans"].as_array().into_iter().flatten();
    let on = spans.map(|span| {
        part(
            number(&span["start"]),
            number(&span["end"]),
            span["kind"].as_str().unwrap_or_default(),
            true,
        )
    });
    let off = ignored.iter().map(|(start, end)| part(*start, *end, "", false));
    let mut parts: Vec<_> = on.chain(off).filter(|part| !part.text.trim().is_empty()).collect();
    rondo_domain::order::sort_by_key(&mut parts, |part| part.start);
    let _ = more;
    Reading {
        parts,
        words: preview["reading"].as_str().unwrap_or_default().to_owned(),
        dates: dates(&preview["task"]),
        fault: None,
    }
}

/// The next dates of a task that repeats.
fn dates(task: &Value) -> Vec<String> {
    let zone = store().zone();
    let Some(series) = super::recurrence::series_of(&task["recurrence_rule"], task, &zone) else {
        return Vec::new();
    };
    let slots = series.preview(DATES_SHOWN + 1);
    slots
        .iter()
        .skip(1)
        .map(|slot| format::date(slot.due.local(&zone).date(), "weekdayDay"))
        .collect()
}

/// The text again, transparent, with marks behind what was understood.
fn marks(text: &str, parts: &[Part]) -> Vec<View> {
    let characters: Vec<char> = text.chars().collect();
    let slice = |from: usize, to: usize| {
        characters.get(from..to).unwrap_or_default().iter().collect::<String>()
    };
    let mut views = Vec::new();
    let mut from = 0;
    for part in parts.iter().filter(|part| part.is_on) {
        views.push(slice(from, part.start).into_view());
        views.push(view! { <mark>{part.text.clone()}</mark> });
        from = part.end;
    }
    // A space, so that a last line break has its height.
    views.push(format!("{} ", slice(from, characters.len())).into_view());
    views
}

/// What was understood, each with a switch.
fn chips(reading: Memo<Reading>, ignored: RwSignal<Vec<(usize, usize)>>) -> Vec<View> {
    let parts = reading.with(|reading| reading.parts.clone());
    let chip = |part: Part| {
        let words = part.text.trim().to_owned();
        let label = with(if part.is_on { Text::TakeLiterally } else { Text::TakeAsMeant }, &words);
        let sign = match part.kind.as_str() {
            "due" => Some(Icon::Today),
            "recurrence" => Some(Icon::Repeat),
            "reminder" => Some(Icon::Bell),
            "priority" => Some(Icon::Flag),
            "tag" => Some(Icon::Tag),
            "description" => Some(Icon::Text),
            _ => None,
        };
        let range = (part.start, part.end);
        let toggle = move |_| {
            ignored.update(|ignored| match ignored.iter().position(|other| *other == range) {
                Some(at) => {
                    ignored.remove(at);
                }
                None => ignored.push(range),
            });
        };
        let class = if part.is_on { "chip" } else { "chip off" };
        view! {
            <button type="button" class=class aria-pressed=part.is_on.to_string() title=label.clone()
                aria-label=label on:click=toggle>
                {sign.map(small)}{words}
            </button>
        }
    };
    parts.into_iter().map(chip).collect()
}
