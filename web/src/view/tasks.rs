//! A list of tasks in groups. Only what is near the visible part is in the document, in chunks, so that ten
//! thousand tasks scroll as ten do.

use rondo_domain::jiff::civil::Date;
use wasm_bindgen::prelude::*;
use web_sys::{IntersectionObserver, IntersectionObserverEntry, IntersectionObserverInit};

use crate::dom::*;
use crate::drag::{self, Target};
use crate::platform::pixels;
use crate::store::store;
use crate::view::row::task_row;

/// Tasks of a chunk.
const CHUNK: usize = 40;
/// The height of a task that was never shown, in pixels.
const ROW_PX: f64 = 56.0;
/// How far outside the visible part chunks are shown.
const MARGIN: &str = "600px";
/// Chunks that are shown at once, before the browser tells which are near.
const SHOWN_FIRST: usize = 1;

/// Tasks under one heading.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Group {
    /// Names the group among the others.
    pub key: String,
    /// Empty if there is no heading.
    pub title: String,
    pub is_late: bool,
    pub uids: Vec<String>,
    /// The day that tasks get that are dropped here.
    pub day: Option<Date>,
}

/// `is_ordered` says whether the order is the person's own, which dragging changes.
pub fn tasks(groups: Memo<Vec<Group>>, is_ordered: bool) -> View {
    Effect::new(move || {
        let order =
            groups.with(|groups| groups.iter().flat_map(|group| group.uids.clone()).collect());
        store().order.set(order);
    });
    let keys = Memo::new(move |_| {
        groups.with(|groups| groups.iter().map(|group| group.key.clone()).collect::<Vec<_>>())
    });
    each(
        move || keys.get(),
        Clone::clone,
        move |key| {
            let found = Memo::new(move |_| {
                groups
                    .with(|groups| groups.iter().find(|group| group.key == key).cloned())
                    .unwrap_or_default()
            });
            task_group(found, is_ordered)
        },
    )
}

fn task_group(group: Memo<Group>, is_ordered: bool) -> View {
    let chunks = Memo::new(move |_| group.with(|group| group.uids.len().div_ceil(CHUNK)));
    let day = move || group.with(|group| group.day);
    let class = move || {
        let is_over = day().is_some_and(|day| drag::is_over(&Target::Day(day)));
        let late = if group.with(|group| group.is_late) { " late" } else { "" };
        format!("group{late}{}", if is_over { " drop" } else { "" })
    };
    let title = Memo::new(move |_| group.with(|group| group.title.clone()));
    let count = Memo::new(move |_| group.with(|group| group.uids.len()));
    let label = move || title.with(|title| (!title.is_empty()).then(|| title.clone()));
    view! {
        <section
            class=class
            aria-label=label
            on:dragover=move |event| if let Some(day) = day() { drag::over_day(&event, day) }
            on:drop=move |event| if let Some(day) = day() { drag::drop_on_day(&event, day) }
        >
            {move || title.with(|title| {
                (!title.is_empty()).then(|| view! {
                    <div class="group-head"><h2>{title.clone()}</h2><span class="count">{count}</span></div>
                })
            })}
            <div class="rows" role="list">
                {each(move || 0..chunks.get(), |number| *number, move |number| chunk(group, number, is_ordered))}
            </div>
        </section>
    }
}

/// Some tasks of a group in one element, which keeps their height while they are not in the document.
fn chunk(group: Memo<Group>, number: usize, is_ordered: bool) -> View {
    let uids = Memo::new(move |_| {
        group.with(|group| {
            group.uids.iter().skip(number * CHUNK).take(CHUNK).cloned().collect::<Vec<_>>()
        })
    });
    let is_near = RwSignal::new(number < SHOWN_FIRST);
    let height = RwSignal::new(None::<f64>);
    let element = NodeRef::new();
    Effect::new(move || {
        let Some(element) = element.get() else { return };
        let observed = element.clone();
        let seen = Closure::<dyn FnMut(js_sys::Array)>::new(move |entries: js_sys::Array| {
            let last = entries.pop();
            let Ok(entry) = last.dyn_into::<IntersectionObserverEntry>() else { return };
            let is_seen = entry.is_intersecting();
            // The chunk may have gone since.
            if is_near.try_get_untracked() == Some(true) && !is_seen {
                height.try_set(Some(observed.get_bounding_client_rect().height()));
            }
            is_near.try_update(|is_near| *is_near = is_seen);
        });
        let options = IntersectionObserverInit::new();
        // The margin is around what scrolls, which the window is not.
        options.set_root(crate::platform::document().get_element_by_id("main").as_ref());
        options.set_root_margin(MARGIN);
        let observer =
            IntersectionObserver::new_with_options(seen.as_ref().unchecked_ref(), &options);
        let Ok(observer) = observer else { return };
        observer.observe(&element);
        let kept = StoredValue::new_local(Some((observer, seen)));
        on_cleanup(move || {
            kept.try_update_value(|kept| {
                if let Some((observer, _)) = kept.take() {
                    observer.disconnect();
                }
            });
        });
    });
    let estimate = move || {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
        let estimated = uids.with(Vec::len) as f64 * ROW_PX;
        (!is_near.get()).then(|| pixels(height.get().unwrap_or(estimated)))
    };
    view! {
        <div role="presentation" node_ref=element style:height=estimate>
            {show(move || is_near.get(), move || each(move || uids.get(), Clone::clone, move |uid| task_row(uid, is_ordered)))}
        </div>
    }
}
