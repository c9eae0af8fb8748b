//! Everything about one task. A change is made when its field is left.

use rondo_device::{Edit, Row, Scope};
use rondo_domain::due::Due;
use rondo_domain::task::Priority;
use serde_json::json;

use crate::command;
use crate::dialog::{self, Dialog};
use crate::dom::*;
use crate::format;
use crate::icon::{Icon, icon, small};
use crate::keys;
use crate::popup::{self, Kind};
use crate::store::store;
use crate::text::{Text, t, with};
use crate::view::chat::chat;
use crate::view::history::history;
use crate::view::menu::optional;
use crate::view::recurrence::{in_words, series_of};
use crate::view::row::{dot, priority_name, tag_mark, tick};

pub fn panel() -> View {
    let uid = Memo::new(|_| {
        store().route.with(|route| route.task.clone()).and_then(|name| resolve(&name))
    });
    let name = Memo::new(|_| store().route.with(|route| route.task.clone()));
    let shown = move || name.get().map(|name| (name, uid.get()));
    switch(shown, |shown| match shown {
        Some((name, uid)) => one(&name, uid),
        None => show(|| store().chat.is_open.get(), chat),
    })
}

#[inline(never)]
fn one(name: &str, uid: Option<String>) -> View {
    let Some(uid) = uid else {
        let text = if name.is_empty() { "" } else { t(Text::NotFound) };
        return view! {
            <aside class="panel" aria-label=t(Text::Task)>
                <div class="panel-top"><span class="space"></span>{close_button()}</div>
                <p class="empty">{text}</p>
            </aside>
        };
    };
    details(uid)
}

/// The uid of a task by its uid, or by its id in a link from a mail.
fn resolve(name: &str) -> Option<String> {
    store().tasks(|device| {
        let by_id = || device.task_of(name.parse().ok()?);
        device.task(name).or_else(by_id).map(|row| row.uid.clone())
    })
}

fn close_button() -> View {
    view! {
        <button class="tool" aria-label=t(Text::Close) title=t(Text::Close) on:click=|_| keys::close_panel()>
            {icon(Icon::Close)}
        </button>
    }
}

fn details(uid: String) -> View {
    let uid = StoredValue::new(uid);
    let row = Memo::new(move |_| store().row(&uid.get_value()));
    store().scope.set(None);
    let get =
        move |read: fn(&Row) -> String| row.with(|row| row.as_ref().map(read).unwrap_or_default());
    let set = move |name: &'static str, value: serde_json::Value| {
        store().edit(vec![command::patch(&uid.get_value(), command::members(name, value))]);
    };
    let is_recurring = Memo::new(move |_| {
        row.with(|row| row.as_ref().is_some_and(|row| row.recurrence_rule.is_some()))
    });
    let title = Memo::new(move |_| get(|row| row.title.clone()));
    let save_title = move |event: web_sys::Event| {
        let text = event_target_value(&event).trim().to_owned();
        if !text.is_empty() && text != title.get_untracked() {
            set("title", text.into());
        }
    };
    let description = Memo::new(move |_| get(|row| row.description.clone().unwrap_or_default()));
    let save_description = move |event: web_sys::Event| {
        let text = event_target_value(&event);
        if text != description.get_untracked() {
            set("description", optional(&text));
        }
    };
    let title_element = NodeRef::new();
    let more = move |event: web_sys::MouseEvent| popup::open(&event, Kind::Task(uid.get_value()));
    view! {
        <aside class="panel" aria-label=title>
            <div class="panel-top">
                <span class="space"></span>
                <button class="tool" aria-label=t(Text::More) title=t(Text::More) on:click=more>{icon(Icon::More)}</button>
                {close_button()}
            </div>
            <div class="panel-title">
                {tick(row)}
                <textarea name="title" rows="1" maxlength="200" aria-label=t(Text::Title) node_ref=title_element
                    prop:value=title on:change=save_title
                    on:keydown=move |event| if event.key() == "Enter" && !event.is_composing() {
                        event.prevent_default();
                        if let Some(element) = title_element.get_untracked() { let _ = element.blur(); }
                    }></textarea>
            </div>
            <textarea class="input description" name="description" maxlength="2000" aria-label=t(Text::Description)
                placeholder=t(Text::Description) prop:value=description on:change=save_description></textarea>
            {show(move || is_recurring.get(), move || scope_field(uid))}
            <div class="parts">{parts(row, uid)}</div>
            {steps(row, uid)}
            {blockers(row, uid)}
            {history(row)}
        </aside>
    }
}

/// Which occurrences a new date moves.
fn scope_field(uid: StoredValue<String>) -> View {
    let choose = move |event: web_sys::Event| {
        let scope = match event_target_value(&event).as_str() {
            "future" => Some(Scope::Future),
            "all" => Some(Scope::All),
            _ => None,
        };
        store().scope.set(scope.map(|scope| (uid.get_value(), scope)));
    };
    view! {
        <label class="field"><span>{t(Text::ScopeOfDate)}</span>
            <select class="input" name="scope" on:change=choose>
                <option value="this">{t(Text::ScopeThis)}</option>
                <option value="future">{t(Text::ScopeFuture)}</option>
                <option value="all">{t(Text::ScopeAll)}</option>
            </select>
        </label>
    }
}

/// A line of the panel: its name, and a button that shows the value and opens what changes it.
fn part(
    sign: Icon,
    name: Text,
    value: impl Fn() -> View + Send + Sync + 'static,
    open: impl Fn(web_sys::MouseEvent) + 'static,
) -> View {
    view! {
        <div class="part">
            <span class="label">{small(sign)}{t(name)}</span>
            <div class="value">
                <button class="tool" on:click=open><span class="sr">{t(name)}": "</span>{value}</button>
            </div>
        </div>
    }
}

fn none() -> View {
    view! { <span class="hint">{t(Text::None)}</span> }
}

fn parts(row: Memo<Option<Row>>, uid: StoredValue<String>) -> Vec<View> {
    let one = move || vec![uid.get_value()];
    let date = move |read: fn(&Row) -> Option<Due>| {
        let due = row.with(|row| row.as_ref().and_then(read));
        let (now, zone) = (store().now.get(), store().zone());
        due.map_or_else(none, |due| format::due(due, now, &zone).into_view())
    };
    let reminder = move || {
        let offset = row.with(|row| row.as_ref()?.reminder_offset.clone());
        let others = store().tasks(|device| {
            let others = device.reminders(&uid.get_value());
            others.iter().filter(|r| r.kind != "task" && r.status == "armed").count()
        });
        match (offset, others) {
            (None, 0) => none(),
            (offset, others) => {
                let own = offset.map(|offset| format::offset(&offset));
                view! { {own}{(others > 0).then(|| format!(" +{others}"))} }
            }
        }
    };
    let repeat = move || {
        let words = row.with(|row| {
            let row = row.as_ref()?;
            let rule = row.recurrence_rule.as_ref()?;
            let series = series_of(rule, &row.to_value(), &store().zone())?;
            Some(in_words(&series))
        });
        words.map_or_else(none, IntoView::into_view)
    };
    let list = move || {
        let list = row.with(|row| row.as_ref().and_then(|row| row.list_id));
        let found = store().places(|device| device.list_of(list?).cloned());
        match found {
            Some(list) => view! { {list.color.map(dot)}{list.name} },
            None => t(Text::Inbox).into_view(),
        }
    };
    let tags = move || {
        let tags = row.with(|row| row.as_ref().map(|row| row.tags.clone()).unwrap_or_default());
        match &tags[..] {
            [] => none(),
            tags => tags.iter().map(|tag| tag_mark(tag)).collect::<Vec<_>>().into_view(),
        }
    };
    vec![
        part(
            Icon::Today,
            Text::Due,
            move || date(|row| row.due),
            move |event| popup::open(&event, Kind::Due(one())),
        ),
        part(
            Icon::Start,
            Text::Start,
            move || date(|row| row.start),
            move |event| {
                popup::open(&event, Kind::Start(uid.get_value()));
            },
        ),
        part(Icon::Bell, Text::Reminder, reminder, move |event| {
            popup::open(&event, Kind::Reminder(uid.get_value()))
        }),
        part(Icon::Repeat, Text::Repeat, repeat, move |_| {
            dialog::open(Dialog::Recurrence(uid.get_value()))
        }),
        priority(row, uid),
        part(Icon::List, Text::List, list, move |event| popup::open(&event, Kind::List(one()))),
        part(Icon::Tag, Text::Tags, tags, move |event| popup::open(&event, Kind::Tags(one()))),
        estimate(row, uid),
        status(row, uid),
    ]
}

fn estimate(row: Memo<Option<Row>>, uid: StoredValue<String>) -> View {
    let value = move || {
        row.with(|row| row.as_ref()?.estimate)
            .map(|minutes| minutes.to_string())
            .unwrap_or_default()
    };
    let save = move |event: web_sys::Event| {
        let minutes = event_target_value(&event).trim().parse::<i64>().ok();
        command::set(&[uid.get_value()], "estimate", &json!(minutes));
    };
    view! {
        <div class="part">
            <label class="label" for="estimate">{small(Icon::Clock)}{t(Text::Estimate)}</label>
            <div class="value">
                <input class="input" id="estimate" name="estimate" type="number" min="1" inputmode="numeric"
                    aria-describedby="estimate-unit" prop:value=value on:change=save/>
                <span class="hint" id="estimate-unit">{t(Text::InMinutes)}</span>
            </div>
        </div>
    }
}

fn priority(row: Memo<Option<Row>>, uid: StoredValue<String>) -> View {
    let current = move || {
        let priority = row.with(|row| row.as_ref().and_then(|row| row.priority));
        priority.map(Priority::as_str).unwrap_or_default()
    };
    let all = [
        None,
        Some(Priority::Urgent),
        Some(Priority::High),
        Some(Priority::Medium),
        Some(Priority::Low),
    ];
    let options = all.into_iter().map(move |priority| {
        let value = priority.map(Priority::as_str).unwrap_or_default();
        let name = priority.map_or(t(Text::None), priority_name);
        view! { <option value=value selected=move || current() == value>{name}</option> }
    });
    let save = move |event: web_sys::Event| {
        command::set(&[uid.get_value()], "priority", &optional(&event_target_value(&event)));
    };
    view! {
        <div class="part">
            <label class="label" for="priority">{small(Icon::Flag)}{t(Text::Priority)}</label>
            <div class="value">
                <select class="input" id="priority" name="priority" prop:value=current on:change=save>{options.collect::<Vec<_>>()}</select>
            </div>
        </div>
    }
}

fn status(row: Memo<Option<Row>>, uid: StoredValue<String>) -> View {
    let current =
        move || row.with(|row| row.as_ref().map(|row| row.status.as_str()).unwrap_or_default());
    let options = [
        ("pending", Text::Pending),
        ("in_progress", Text::InProgress),
        ("completed", Text::Completed),
    ];
    let options = options.into_iter().map(move |(value, text)| {
        view! { <option value=value selected=move || current() == value>{t(text)}</option> }
    });
    let save = move |event: web_sys::Event| {
        command::set(&[uid.get_value()], "status", &event_target_value(&event).into());
    };
    view! {
        <div class="part">
            <label class="label" for="status">{small(Icon::Check)}{t(Text::Status)}</label>
            <div class="value">
                <select class="input" id="status" name="status" prop:value=current on:change=save>{options.collect::<Vec<_>>()}</select>
            </div>
        </div>
    }
}

fn steps(row: Memo<Option<Row>>, uid: StoredValue<String>) -> View {
    let text = RwSignal::new(String::new());
    let steps = Memo::new(move |_| {
        store().tasks(|device| {
            device.subtasks(&uid.get_value()).iter().map(|row| row.uid.clone()).collect::<Vec<_>>()
        })
    });
    let progress = Memo::new(move |_| store().tasks(|device| device.progress(&uid.get_value())));
    let add = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let title = text.get_untracked().trim().to_owned();
        let Some((id, list)) =
            row.with_untracked(|row| row.as_ref().map(|row| (row.id, row.list_id)))
        else {
            return;
        };
        if title.is_empty() {
            return;
        }
        let task = json!({ "title": title, "subtask_of": id, "list_id": list });
        store().edit(vec![Edit::create(task.as_object().cloned().unwrap_or_default())]);
        text.set(String::new());
    };
    let share = move || {
        let (total, done) = progress.get();
        format!("{}%", (done * 100).checked_div(total).unwrap_or_default())
    };
    view! {
        <section aria-label=t(Text::Steps)>
            <h2>{t(Text::Steps)}
                {show(move || { progress.get().0 > 0 }, move || view! { <span class="hint">{move || { let (total, done) = progress.get(); format!("{done}/{total}") }}</span> })}
            </h2>
            {show(move || { progress.get().0 > 0 }, move || view! { <div class="bar" aria-hidden="true"><span style:width=share></span></div> })}
            <ul>
                {each(move || steps.get(), Clone::clone, step)}
            </ul>
            <form on:submit=add>
                <input class="input" name="step" autocomplete="off" maxlength="200" aria-label=t(Text::AddStep)
                    placeholder=t(Text::AddStep) prop:value=text on:input=move |event| text.set(event_target_value(&event))/>
            </form>
        </section>
    }
}

fn step(uid: String) -> View {
    let of_row = uid.clone();
    let row = Memo::new(move |_| store().row(&of_row));
    let title = Memo::new(move |_| {
        row.with(|row| row.as_ref().map(|row| row.title.clone()).unwrap_or_default())
    });
    let is_done = move || row.with(|row| row.as_ref().is_some_and(|row| row.is_completed()));
    let of_link = uid.clone();
    let href = move || store().route.get().with_task(Some(&of_link)).href();
    let delete = move |_| command::delete_with(std::slice::from_ref(&uid), None);
    view! {
        <li class="step" class:done=is_done>
            {tick(row)}
            <a class="title" href=href>{title}</a>
            <button class="tool s" aria-label=move || format!("{}: {}", t(Text::Delete), title.get()) on:click=delete>
                {small(Icon::Close)}
            </button>
        </li>
    }
}

fn blockers(row: Memo<Option<Row>>, uid: StoredValue<String>) -> View {
    let ids = Memo::new(move |_| {
        row.with(|row| row.as_ref().map(|row| row.blocked_by.clone()).unwrap_or_default())
    });
    let text = RwSignal::new(String::new());
    let set = move |ids: Vec<i64>| command::set(&[uid.get_value()], "blocked_by", &json!(ids));
    let found = Memo::new(move |_| {
        let text = text.get();
        if text.trim().is_empty() {
            return Vec::new();
        }
        let known = ids.get();
        store().tasks(|device| {
            let rows = device.search(&text).into_iter();
            let others = rows.filter(|row| {
                !row.is_completed() && row.uid != uid.get_value() && !known.contains(&row.id)
            });
            others.take(5).map(|row| (row.id, row.title.clone())).collect::<Vec<_>>()
        })
    });
    let blockers = move || {
        let known = ids.get();
        let blocker = |id: i64| {
            let title = store().tasks(|device| device.task_of(id).map(|row| row.title.clone()));
            let title = title.unwrap_or_else(|| format!("#{id}"));
            let rest: Vec<_> = known.iter().copied().filter(|other| *other != id).collect();
            view! {
                <li class="step">
                    {small(Icon::Blocked)}<span class="title">{title.clone()}</span>
                    <button class="tool s" aria-label=format!("{}: {title}", t(Text::Delete)) on:click=move |_| set(rest.clone())>
                        {small(Icon::Close)}
                    </button>
                </li>
            }
        };
        known.iter().copied().map(blocker).collect::<Vec<_>>()
    };
    let choices = move || {
        let choice = |(id, title): (i64, String)| {
            let add = move |_| {
                text.set(String::new());
                let mut all = ids.get_untracked();
                all.push(id);
                set(all);
            };
            view! { <li><button class="menu-item" on:click=add>{title}</button></li> }
        };
        found.get().into_iter().map(choice).collect::<Vec<_>>()
    };
    let announced =
        move || found.with(|found| (!found.is_empty()).then(|| with(Text::ManyTasks, found.len())));
    view! {
        <section aria-label=t(Text::BlockedBy)>
            <h2>{t(Text::BlockedBy)}</h2>
            <ul>{blockers}</ul>
            <input class="input" name="blocker" autocomplete="off" aria-label=t(Text::AddBlocker)
                placeholder=t(Text::AddBlocker) prop:value=text on:input=move |event| text.set(event_target_value(&event))/>
            <span class="sr" role="status">{announced}</span>
            <ul>{choices}</ul>
        </section>
    }
}
