//! Forms of lists, saved filters and tags.

use rondo_device::{Edit, Members};
use serde_json::json;

use crate::dialog;
use crate::dom::*;
use crate::route::{Place, Route};
use crate::store::{now, store, words};
use crate::text::{Text, t};
use crate::view::menu::optional;

fn frame(
    title: Text,
    save: Text,
    fields: View,
    fault: RwSignal<String>,
    submit: impl Fn() + 'static,
) -> View {
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        submit();
    };
    view! {
        <form class="dialog" on:submit=submit>
            <h2 id="dialog-title">{t(title)}</h2>
            {fields}
            <p class="error" role="alert">{fault}</p>
            <div class="buttons end">
                <button type="button" class="button" on:click=|_| dialog::close()>{t(Text::Cancel)}</button>
                <button type="submit" class="button main-button">{t(save)}</button>
            </div>
        </form>
    }
}

fn name_field(name: RwSignal<String>, max: &'static str) -> View {
    view! {
        <label class="field"><span>{t(Text::Name)}</span>
            <input class="input" name="name" required=true data-first="" autocomplete="off" maxlength=max prop:value=name
                on:input=move |event| name.set(event_target_value(&event))/>
        </label>
    }
}

/// A colour, which can be none.
fn color_field(color: RwSignal<Option<String>>) -> View {
    const FIRST: &str = "#4f46c8";
    view! {
        <div class="field">
            <label class="check">
                <input type="checkbox" prop:checked=move || color.with(Option::is_some)
                    on:change=move |event| color.set(event_target_checked(&event).then(|| FIRST.to_owned()))/>
                <span>{t(Text::Color)}</span>
            </label>
            {show(move || color.with(Option::is_some), move || view! {
                <input class="input" type="color" name="color" aria-label=t(Text::Color)
                    prop:value=move || color.get().unwrap_or_default()
                    on:input=move |event| color.set(Some(event_target_value(&event)))/>
            })}
        </div>
    }
}

/// Makes an edit, and closes the dialog if nothing is wrong with it.
fn commit(edit: Edit, fault: RwSignal<String>) -> bool {
    match store().change(|device| device.edit(vec![edit], now())) {
        Ok(_) => {
            dialog::close();
            true
        }
        Err(faults) => {
            fault.set(words(&faults));
            false
        }
    }
}

pub fn list(id: Option<i64>) -> View {
    let known = store().read(|device| device.list_of(id?).cloned());
    let name = RwSignal::new(known.as_ref().map(|list| list.name.clone()).unwrap_or_default());
    let color = RwSignal::new(known.as_ref().and_then(|list| list.color.clone()));
    let sign = RwSignal::new(known.and_then(|list| list.icon).unwrap_or_default());
    let fault = RwSignal::new(String::new());
    let submit = move || {
        let mut members = Members::new();
        members.insert("name".to_owned(), json!(name.get_untracked().trim()));
        members.insert("color".to_owned(), json!(color.get_untracked()));
        members.insert("icon".to_owned(), optional(&sign.get_untracked()));
        match id {
            Some(id) => {
                commit(Edit::PatchList { id, members }, fault);
            }
            None => {
                let before = newest_list();
                if commit(Edit::create_list(members), fault)
                    && let Some(id) = newest_list().filter(|id| before != Some(*id))
                {
                    Route::to(Place::List(id.to_string())).go();
                }
            }
        }
    };
    let fields = view! {
        {name_field(name, "100")}
        {color_field(color)}
        <label class="field"><span>"Emoji"</span>
            <input class="input" name="icon" autocomplete="off" maxlength="32" prop:value=sign
                on:input=move |event| sign.set(event_target_value(&event))/>
        </label>
    };
    let (title, save) = match id {
        Some(_) => (Text::List, Text::Save),
        None => (Text::NewList, Text::Create),
    };
    frame(title, save, fields, fault, submit)
}

/// The list that was made last on this device.
fn newest_list() -> Option<i64> {
    store().read(|device| device.lists().last().map(|list| list.id))
}

pub fn filter(id: Option<i64>, query: String) -> View {
    let known = store()
        .read(|device| device.filters().into_iter().find(|filter| Some(filter.id) == id).cloned());
    let name = RwSignal::new(known.as_ref().map(|filter| filter.name.clone()).unwrap_or_default());
    let query = RwSignal::new(known.map_or(query, |filter| filter.query));
    let fault = RwSignal::new(String::new());
    let count = Memo::new(move |_| {
        let found = query.with(|query| {
            store().tasks(|device| device.query(query, now()).map(|rows| rows.len()))
        });
        found.map_err(|faults| words(&faults))
    });
    let submit = move || {
        let mut members = Members::new();
        members.insert("name".to_owned(), json!(name.get_untracked().trim()));
        members.insert("query".to_owned(), json!(query.get_untracked()));
        let edit = match id {
            Some(id) => Edit::PatchFilter { id, members },
            None => Edit::create_filter(members),
        };
        commit(edit, fault);
    };
    // A choice writes its parameter into the query.
    let choose = move |name: &'static str, value: String| {
        query.update(|query| *query = with_parameter(query, name, &value));
    };
    let choice = move |text: Text, name: &'static str, values: Vec<(&'static str, Text)>| {
        let options = std::iter::once(("", Text::Any)).chain(values).map(move |(value, text)| {
            let is_chosen =
                move || query.with(|query| parameter(query, name).unwrap_or_default() == value);
            view! { <option value=value selected=is_chosen>{t(text)}</option> }
        });
        view! {
            <label class="field"><span>{t(text)}</span>
                <select class="input" name=name on:change=move |event| choose(name, event_target_value(&event))>
                    {options.collect::<Vec<_>>()}
                </select>
            </label>
        }
    };
    let priorities = vec![
        ("urgent", Text::Urgent),
        ("high", Text::High),
        ("medium", Text::Medium),
        ("low", Text::Low),
    ];
    let states = vec![
        ("pending", Text::Pending),
        ("in_progress", Text::InProgress),
        ("completed", Text::Completed),
    ];
    let until =
        vec![("today", Text::Today), ("%2B7d", Text::InAWeek), ("end_of_month", Text::EndOfMonth)];
    let fields = view! {
        {name_field(name, "100")}
        {choice(Text::Status, "status", states)}
        {choice(Text::Priority, "priority", priorities)}
        {choice(Text::DueUntil, "due_date_end", until)}
        <label class="field"><span>{t(Text::Query)}</span>
            <input class="input" name="query" required=true autocomplete="off" spellcheck="false" prop:value=query
                on:input=move |event| query.set(event_target_value(&event))/>
        </label>
        <p class="hint">{t(Text::QueryHint)}</p>
        <p role="status" class="hint">
            {move || count.with(|count| match count {
                Ok(count) => crate::text::with(Text::ManyTasks, count),
                Err(fault) => fault.clone(),
            })}
        </p>
    };
    let (title, save) = match id {
        Some(_) => (Text::Filters, Text::Save),
        None => (Text::NewFilter, Text::Create),
    };
    frame(title, save, fields, fault, submit)
}

/// The value of a parameter in a query, as it is written.
fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
}

/// A query with a parameter, or without it if the value is empty.
fn with_parameter(query: &str, name: &str, value: &str) -> String {
    let others =
        query.split('&').filter(|part| !part.is_empty() && part.split('=').next() != Some(name));
    let own = (!value.is_empty()).then(|| format!("{name}={value}"));
    others.map(str::to_owned).chain(own).collect::<Vec<_>>().join("&")
}

pub fn tag(old: String) -> View {
    let known = store().read(|device| device.tags().into_iter().find(|tag| tag.name == old));
    let name = RwSignal::new(old.clone());
    let color = RwSignal::new(known.and_then(|tag| tag.color));
    let fault = RwSignal::new(String::new());
    let submit = move || {
        let new = name.get_untracked().trim().to_owned();
        let mut members = Members::new();
        members.insert("name".to_owned(), json!(new));
        members.insert("color".to_owned(), json!(color.get_untracked()));
        if commit(Edit::ChangeTag { name: old.clone(), members }, fault) {
            Route::to(Place::Tag(new)).replace();
        }
    };
    let fields = view! { {name_field(name, "50")}{color_field(color)} };
    frame(Text::Tags, Text::Save, fields, fault, submit)
}
