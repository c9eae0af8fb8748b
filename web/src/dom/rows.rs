//! Rows of a list, kept by their keys: what stays keeps its elements, its state and the focus.

use std::cell::RefCell;

use reactive_graph::graph::untrack;
use rondo_rows::{sources, stays};
use web_sys::wasm_bindgen::JsCast as _;
use web_sys::{HtmlElement, Node};

use super::{Document, IntoView, Owner, View, comment, document, put_before, take_out, watch};

struct Row {
    /// Owns what the row's view has made.
    owner: Owner,
    /// The first and the last node. They stay while what is between them changes.
    first: Node,
    last: Node,
}

impl Row {
    /// Its nodes, in their order.
    fn nodes(&self) -> Vec<Node> {
        let mut nodes = vec![self.first.clone()];
        let mut at = self.first.clone();
        while at != self.last {
            let Some(next) = at.next_sibling() else { break };
            nodes.push(next.clone());
            at = next;
        }
        nodes
    }
}

/// A view for each item. `key` names an item; an item of a known key keeps its view.
pub fn each<I, K, V>(
    items: impl Fn() -> I + 'static,
    key: impl Fn(&I::Item) -> K + 'static,
    view: impl Fn(I::Item) -> V + 'static,
) -> View
where
    I: IntoIterator,
    K: PartialEq + 'static,
    V: IntoView,
{
    let mut known: Vec<K> = Vec::new();
    list(Box::new(move |change| {
        let items: Vec<I::Item> = items().into_iter().collect();
        let keys: Vec<K> = items.iter().map(&key).collect();
        let sources = sources(&known, &keys);
        known = keys;
        let mut items = items.into_iter();
        // Asked for in their order; those of known keys are passed over.
        let mut at = 0;
        change(&sources, &mut |place| {
            let item = items.nth(place - at);
            at = place + 1;
            item.map(&view).into_view()
        });
    }))
}

/// A view while something is so.
pub fn show<V: IntoView>(
    when: impl Fn() -> bool + 'static,
    view: impl Fn() -> V + 'static,
) -> View {
    let mut was = false;
    list(Box::new(move |change| {
        let is = when();
        let sources: &[_] = match (is, was) {
            (false, _) => &[],
            (true, false) => &[None],
            (true, true) => &[Some(0)],
        };
        was = is;
        change(sources, &mut |_| view().into_view());
    }))
}

/// Takes over where each row comes from, and what makes a new one.
type Change<'a> = &'a mut dyn FnMut(&[Option<usize>], &mut dyn FnMut(usize) -> View);

fn list(mut update: Box<dyn FnMut(Change)>) -> View {
    let (all, end) = (document(Document::create_document_fragment), comment());
    let _ = all.append_child(&end);
    // Not the owner of an update, which is cleaned up with each.
    let parent = Owner::current().unwrap_or_default().downgrade();
    let rows = RefCell::new(Vec::new());
    watch(Box::new(move || {
        let Some(parent) = parent.upgrade() else { return };
        update(&mut |sources, make| {
            let changed = changed(rows.take(), sources, make, &parent, &end);
            rows.replace(changed);
        });
    }));
    View::of(all)
}

fn changed(
    old: Vec<Row>,
    sources: &[Option<usize>],
    make: &mut dyn FnMut(usize) -> View,
    parent: &Owner,
    end: &Node,
) -> Vec<Row> {
    let focused = document(Document::active_element);
    let mut old: Vec<Option<Row>> = old.into_iter().map(Some).collect();
    let mut kept: Vec<Option<Row>> =
        sources.iter().map(|source| source.and_then(|source| old[source].take())).collect();
    for row in old.into_iter().flatten() {
        row.owner.cleanup();
        row.nodes().iter().for_each(take_out);
    }
    let stays = stays(sources);
    // Made in their order, put from the end on.
    let mut nodes: Vec<Option<Node>> = Vec::with_capacity(sources.len());
    for (place, row) in kept.iter_mut().enumerate() {
        nodes.push(None);
        if row.is_none() {
            let owner = parent.child();
            let View(node) = owner.with(|| untrack(|| make(place)));
            let (first, last) = ends(&node);
            *row = Some(Row { owner, first, last });
            nodes[place] = Some(node);
        }
    }
    let rows: Vec<Row> = kept.into_iter().flatten().collect();
    let mut next = end.clone();
    for (place, row) in rows.iter().enumerate().rev() {
        match &nodes[place] {
            Some(made) => put_before(made, &next),
            None if stays[place] => {}
            None => row.nodes().iter().for_each(|node| put_before(node, &next)),
        }
        next = row.first.clone();
    }
    // An element that is moved loses the focus.
    if let Some(focused) = focused.and_then(|focused| focused.dyn_into::<HtmlElement>().ok()) {
        let is_lost = document(Document::active_element).is_none_or(|active| active != *focused);
        if is_lost && focused.is_connected() {
            let _ = focused.focus();
        }
    }
    rows
}

/// The first and the last node of a view. One without nodes gets a comment.
fn ends(node: &Node) -> (Node, Node) {
    if node.node_type() != Node::DOCUMENT_FRAGMENT_NODE {
        return (node.clone(), node.clone());
    }
    if !node.has_child_nodes() {
        let _ = node.append_child(&comment());
    }
    let first = node.first_child().unwrap_or_else(|| node.clone());
    let last = node.last_child().unwrap_or_else(|| node.clone());
    (first, last)
}
