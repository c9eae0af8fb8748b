//! A month of days with their tasks, which can be dragged from one to another.

use rondo_device::Row;
use rondo_domain::jiff::ToSpan as _;
use rondo_domain::jiff::civil::Date;

use crate::dom::*;
use crate::drag::{self, Target};
use crate::format;
use crate::icon::{Icon, icon, turning};
use crate::platform::first_day;
use crate::route::{Place, Route};
use crate::store::store;
use crate::text::{Text, locale, t, with};
use crate::view::when::weeks_of;

/// Tasks that a day shows. The rest is a number.
const TASKS_SHOWN: usize = 4;

#[inline(never)]
pub fn month(day: String) -> View {
    let shown: Date = day.parse().unwrap_or_else(|_| crate::command::today());
    let first = first_day(&locale());
    let weeks = weeks_of(shown, first);
    let other = |months: i32| {
        let day = shown.checked_add(months.months()).unwrap_or(shown);
        Route::to(Place::Month(day.to_string())).href()
    };
    let names: Vec<_> = weeks[0]
        .iter()
        .map(|day| view! { <div class="month-name" role="columnheader">{format::date(*day, "weekdayShort")}</div> })
        .collect();
    let rows: Vec<_> = weeks
        .into_iter()
        .map(|week| {
            let cells: Vec<_> = week.into_iter().map(|day| cell(day, shown)).collect();
            view! { <div role="row" class="month-row">{cells}</div> }
        })
        .collect();
    view! {
        <header class="head">
            <div class="head-title"><h1 tabindex="-1">{format::date(shown, "month")}</h1></div>
            <div class="head-actions">
                <a class="tool" href=other(-1) aria-label=t(Text::PreviousMonth)>{turning(Icon::Left)}</a>
                <a class="tool" href=Route::to(Place::Month(String::new())).href()>{t(Text::Today)}</a>
                <a class="tool" href=other(1) aria-label=t(Text::NextMonth)>{turning(Icon::Right)}</a>
                <a class="tool" href=Route::to(Place::Upcoming).href()>{icon(Icon::List)}{t(Text::List)}</a>
            </div>
        </header>
        <div class="month" role="table" aria-label=format::date(shown, "month")>
            <div role="row" class="month-row">{names}</div>
            {rows}
        </div>
    }
}

fn cell(day: Date, shown: Date) -> View {
    let tasks = Memo::new(move |_| {
        store().tasks(|device| {
            let found = device.upcoming(day, day).remove(&day).unwrap_or_default();
            found
                .into_iter()
                .map(|row: &Row| (row.uid.clone(), row.title.clone()))
                .collect::<Vec<_>>()
        })
    });
    let is_today = move || store().zone().local_of(store().now.get()).date() == day;
    let class = move || {
        let other = if day.month() == shown.month() { "" } else { " other" };
        format!("cell{other}{}", if drag::is_over(&Target::Day(day)) { " drop" } else { "" })
    };
    let items = move || {
        let tasks = tasks.get();
        let more = tasks.len().saturating_sub(TASKS_SHOWN);
        let items: Vec<_> = tasks
            .into_iter()
            .take(TASKS_SHOWN)
            .map(|(uid, title)| {
                let href = store().route.get().with_task(Some(&uid)).href();
                view! {
                    <a class="item" href=href draggable="true" title=title.clone()
                        on:dragstart=move |event| drag::start(&event, &uid) on:dragend=|_| drag::end()>{title.clone()}</a>
                }
            })
            .collect();
        view! { {items}{(more > 0).then(|| view! { <span class="hint">{with(Text::AndMore, more)}</span> })} }
    };
    view! {
        <div role="cell" class=class on:dragover=move |event| drag::over_day(&event, day)
            on:dragleave=|_| drag::leave() on:drop=move |event| drag::drop_on_day(&event, day)>
            <span class="number" class:today=is_today>
                <span aria-hidden="true">{day.day()}</span><span class="sr">{format::date(day, "day")}</span>
            </span>
            {items}
        </div>
    }
}
