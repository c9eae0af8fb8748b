//! What can stand between elements, and how it is replaced when it changes.

use reactive_graph::graph::untrack;
use web_sys::wasm_bindgen::JsCast as _;
use web_sys::{Element, FocusOptions, HtmlElement, Node, Text};

use super::{
    Document, Get as _, Memo, RwSignal, Signal, View, comment, document, put_before, take_out,
    text, watch,
};

/// What can stand between elements.
pub trait IntoView: Sized {
    fn into_view(self) -> View;

    /// The view of a value that signals change.
    fn live(mut value: impl FnMut() -> Self + 'static) -> View {
        region(Box::new(move || value().into_view()))
    }
}

/// The view of a value that signals change.
pub fn live<V: IntoView>(value: impl FnMut() -> V + 'static) -> View {
    V::live(value)
}

/// A view for a value, replaced when the value changes. What `view` reads of other signals replaces nothing.
pub fn switch<T>(
    mut value: impl FnMut() -> T + 'static,
    view: impl Fn(T) -> View + 'static,
) -> View {
    region(Box::new(move || {
        let value = value();
        untrack(|| view(value))
    }))
}

impl IntoView for View {
    fn into_view(self) -> View {
        self
    }
}

impl IntoView for () {
    fn into_view(self) -> View {
        View::empty()
    }
}

impl IntoView for String {
    fn into_view(self) -> View {
        View(text(&self))
    }

    fn live(mut value: impl FnMut() -> Self + 'static) -> View {
        words(Box::new(move |node| node.set_data(&value())))
    }
}

impl IntoView for &'static str {
    fn into_view(self) -> View {
        View(text(self))
    }

    fn live(mut value: impl FnMut() -> Self + 'static) -> View {
        words(Box::new(move |node| node.set_data(value())))
    }
}

macro_rules! number {
    ($($number:ty),*) => {
        $(impl IntoView for $number {
            fn into_view(self) -> View {
                self.to_string().into_view()
            }

            fn live(mut value: impl FnMut() -> Self + 'static) -> View {
                String::live(move || value().to_string())
            }
        })*
    };
}

number!(i8, i64, usize);

impl<T: IntoView> IntoView for Option<T> {
    fn into_view(self) -> View {
        self.map_or_else(View::empty, IntoView::into_view)
    }
}

impl<T: IntoView> IntoView for Vec<T> {
    fn into_view(self) -> View {
        let all = View::empty();
        for View(node) in self.into_iter().map(IntoView::into_view) {
            let _ = all.0.append_child(&node);
        }
        all
    }
}

impl<T: IntoView, F: FnMut() -> T + 'static> IntoView for F {
    fn into_view(self) -> View {
        T::live(self)
    }
}

macro_rules! signal {
    ($($signal:ident),*) => {
        $(impl<T: IntoView + Clone + Send + Sync + 'static> IntoView for $signal<T> {
            fn into_view(self) -> View {
                T::live(move || self.get())
            }
        })*
    };
}

signal!(Memo, RwSignal, Signal);

/// A text that is written again when it changes.
fn words(mut write: Box<dyn FnMut(&Text)>) -> View {
    let node = text("");
    let shown: Text = node.clone().unchecked_into();
    watch(Box::new(move || write(&shown)));
    View(node)
}

/// What is replaced as a whole when it changes, between two comments.
fn region(mut content: Box<dyn FnMut() -> View>) -> View {
    let (all, start, end) = (document(Document::create_document_fragment), comment(), comment());
    let _ = all.append_child(&start);
    let _ = all.append_child(&end);
    watch(Box::new(move || {
        let View(next) = content();
        let focus = Focus::within(&start, &end);
        while let Some(node) = start.next_sibling().filter(|node| *node != end) {
            take_out(&node);
        }
        put_before(&next, &end);
        if let Some(focus) = focus {
            focus.restore(&start);
        }
    }));
    View::of(all)
}

/// The element with the focus, by its place in what is replaced. It goes to the element in the same place, so that
/// a person who switches something with a key can go on.
struct Focus {
    name: String,
    /// The place among the elements beside it, the innermost first.
    path: Vec<u32>,
}

impl Focus {
    /// None if the focus is not between two nodes.
    fn within(start: &Node, end: &Node) -> Option<Self> {
        let parent = start.parent_node()?;
        let active = document(Document::active_element)?;
        let name = active.tag_name();
        if name == "BODY" || !parent.contains(Some(&active)) {
            return None;
        }
        let mut path = Vec::new();
        let mut element = active;
        loop {
            let is_outermost = element.parent_node().is_some_and(|of| of == parent);
            // To the start of what is replaced, or of all that is beside it.
            let mut place = 0;
            let mut before = element.previous_sibling();
            let mut is_inside = false;
            while let Some(node) = before {
                is_inside = node == *start;
                if is_inside || (is_outermost && node == *end) {
                    break;
                }
                place += u32::from(node.is_instance_of::<Element>());
                before = node.previous_sibling();
            }
            path.push(place);
            if is_outermost {
                return is_inside.then_some(Self { name, path });
            }
            element = element.parent_element()?;
        }
    }

    fn restore(&self, start: &Node) {
        if let Some(element) = self.find(start) {
            let options = FocusOptions::new();
            options.set_prevent_scroll(true);
            let _ = element.focus_with_options(&options);
        }
    }

    fn find(&self, start: &Node) -> Option<HtmlElement> {
        let mut first = start.next_sibling();
        let mut found = None;
        for place in self.path.iter().rev() {
            let mut rest = *place;
            let element = loop {
                let node = first?;
                first = node.next_sibling();
                if let Ok(element) = node.dyn_into::<Element>() {
                    if rest == 0 {
                        break element;
                    }
                    rest -= 1;
                }
            };
            first = element.first_child();
            found = Some(element);
        }
        found.filter(|element| element.tag_name() == self.name)?.dyn_into().ok()
    }
}
