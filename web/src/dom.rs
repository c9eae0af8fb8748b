//! Views: nodes of the document, and what keeps them as the signals want. Nothing here is generic but shells that box
//! closures, because a function for each view would be most of the page's size.
//!
//! What changes stands between two comments and is replaced as a whole, by an effect whose owner cleans up what
//! the content before had made. Rows of a list are kept by their keys.

mod attribute;
mod plan;
mod region;
mod rows;

use std::cell::OnceCell;

pub use attribute::IntoAttribute;
pub use plan::Building;
pub use reactive_graph::computed::{ArcMemo, Memo};
pub use reactive_graph::effect::Effect;
pub use reactive_graph::owner::{LocalStorage, Owner, StoredValue, on_cleanup};
pub use reactive_graph::prelude::*;
pub use reactive_graph::signal::{ArcRwSignal, RwSignal};
pub use reactive_graph::wrappers::read::Signal;
pub use region::{IntoView, live, switch};
pub use rondo_markup::view;
pub use rows::{each, show};

use reactive_graph::effect::RenderEffect;
use web_sys::wasm_bindgen::{JsCast as _, UnwrapThrowExt as _};
use web_sys::{Document, HtmlElement, HtmlInputElement, Node};

thread_local! {
    static DOCUMENT: OnceCell<Document> = const { OnceCell::new() };
}

/// One node, or a fragment of several, to be put into the document once.
#[derive(Clone)]
pub struct View(Node);

impl View {
    fn of(node: impl AsRef<Node>) -> Self {
        Self(node.as_ref().clone())
    }

    /// Nothing to be seen.
    pub fn empty() -> Self {
        Self::of(document(Document::create_document_fragment))
    }
}

/// The element that an attribute `node_ref` names, once it is there.
#[derive(Clone, Copy)]
pub struct NodeRef(RwSignal<Option<HtmlElement>, LocalStorage>);

impl NodeRef {
    pub fn new() -> Self {
        Self(RwSignal::new_local(None))
    }

    pub fn get(self) -> Option<HtmlElement> {
        self.0.get()
    }

    /// None also when the view is gone.
    pub fn get_untracked(self) -> Option<HtmlElement> {
        self.0.try_get_untracked().flatten()
    }
}

/// Puts a view at the end of the document, for as long as the page lives.
pub fn mount(view: fn() -> View) {
    // Fails if it was done before, which is as good.
    let _ = any_spawner::Executor::init_wasm_bindgen();
    let owner = Owner::new();
    let View(node) = owner.with(view);
    if let Some(body) = document(Document::body) {
        let _ = body.append_child(&node);
    }
    std::mem::forget(owner);
}

/// The value of the field that an event is about.
pub fn event_target_value(event: &web_sys::Event) -> String {
    let value = event.target().and_then(|field| js_sys::Reflect::get(&field, &"value".into()).ok());
    value.and_then(|value| value.as_string()).unwrap_or_default()
}

/// Whether the box that an event is about is ticked.
pub fn event_target_checked(event: &web_sys::Event) -> bool {
    event.target().is_some_and(|field| field.unchecked_into::<HtmlInputElement>().checked())
}

fn document<T>(use_it: impl FnOnce(&Document) -> T) -> T {
    DOCUMENT.with(|document| use_it(document.get_or_init(crate::platform::document)))
}

/// Runs at once, and again whenever a signal changes that it has read, until the current owner is cleaned up.
fn watch(mut run: Box<dyn FnMut()>) {
    keep(RenderEffect::new(move |_: Option<()>| run()));
}

fn keep(effect: RenderEffect<()>) {
    StoredValue::new_local(effect);
}

fn comment() -> Node {
    document(|document| document.create_comment("").into())
}

fn text(data: &str) -> Node {
    document(|document| document.create_text_node(data).into())
}

fn element(name: &str, is_drawing: bool) -> web_sys::Element {
    document(|document| match is_drawing {
        true => document.create_element_ns(Some("http://www.w3.org/2000/svg"), name),
        false => document.create_element(name),
    })
    .unwrap_throw()
}

/// Puts a node before another one with the same parent.
fn put_before(node: &Node, next: &Node) {
    if let Some(parent) = next.parent_node() {
        let _ = parent.insert_before(node, Some(next));
    }
}

/// Takes a node out of the document.
fn take_out(node: &Node) {
    if let Some(parent) = node.parent_node() {
        let _ = parent.remove_child(node);
    }
}
