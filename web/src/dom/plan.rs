//! Building what a `view!` describes. Its plan is a text of marks, each before a name or a text; where the plan has
//! an expression, a call brings its value.

use web_sys::wasm_bindgen::JsCast as _;
use web_sys::wasm_bindgen::prelude::Closure;
use web_sys::{
    Document, DragEvent, Element, Event, FocusEvent, KeyboardEvent, MouseEvent, Node, PointerEvent,
    SubmitEvent,
};

use super::attribute::Attribute;
use super::{NodeRef, Set as _, View, document, element, text};

// As in `web/markup`.
const OPEN: u8 = 1;
const CLOSE: u8 = 2;
const TEXT: u8 = 3;
const NAME: u8 = 4;
const VALUE: u8 = 5;
const PUT: u8 = 6;
const CHILD: u8 = 7;

/// A view that is being built.
pub struct Building {
    plan: &'static str,
    /// The open elements, the innermost last.
    open: Vec<Element>,
    /// The nodes that are in no element.
    roots: Vec<Node>,
    is_drawing: bool,
}

/// Makes a method that listens to events of a type.
macro_rules! listen {
    ($($name:ident: $event:ty;)*) => {
        $(pub fn $name(&mut self, mut handle: impl FnMut($event) + 'static) {
            self.listen(Box::new(move |event| handle(event.unchecked_into())));
        })*
    };
}

impl Building {
    pub fn new(plan: &'static str) -> Self {
        Self { plan, open: Vec::new(), roots: Vec::new(), is_drawing: false }
    }

    listen! {
        mouse: MouseEvent;
        key: KeyboardEvent;
        submit: SubmitEvent;
        focus: FocusEvent;
        drag: DragEvent;
        pointer: PointerEvent;
        event: Event;
    }

    fn listen(&mut self, handle: Box<dyn FnMut(Event)>) {
        let name = self.advance();
        // The browser drops it with the element.
        let handle = Closure::wrap(handle).into_js_value();
        if let Some(element) = self.open.last() {
            let _ = element.add_event_listener_with_callback(name, handle.unchecked_ref());
        }
    }

    pub fn attribute(&mut self, attribute: Attribute) {
        let name = self.advance();
        if let Some(element) = self.open.last() {
            attribute.apply(element, name);
        }
    }

    pub fn node_ref(&mut self, reference: NodeRef) {
        self.advance();
        reference.0.set(self.open.last().and_then(|element| element.clone().dyn_into().ok()));
    }

    pub fn child(&mut self, View(node): View) {
        self.advance();
        self.put(node);
    }

    pub fn done(mut self) -> View {
        self.advance();
        if self.roots.len() == 1 {
            return View(self.roots.swap_remove(0));
        }
        let all = document(Document::create_document_fragment);
        for node in self.roots {
            let _ = all.append_child(&node);
        }
        View::of(all)
    }

    fn put(&mut self, node: Node) {
        match self.open.last() {
            Some(element) => {
                let _ = element.append_child(&node);
            }
            None => self.roots.push(node),
        }
    }

    /// Builds up to the next expression. Returns the name of what it is for.
    fn advance(&mut self) -> &'static str {
        let mut name = "";
        while let Some((mark, part)) = self.next() {
            match mark {
                OPEN => {
                    self.is_drawing |= part == "svg";
                    self.open.push(element(part, self.is_drawing));
                }
                CLOSE => {
                    if let Some(element) = self.open.pop() {
                        self.is_drawing = self.is_drawing && element.local_name() != "svg";
                        self.put(element.into());
                    }
                }
                TEXT => self.put(text(part)),
                NAME => name = part,
                VALUE => {
                    if let Some(element) = self.open.last() {
                        let _ = element.set_attribute(name, part);
                    }
                }
                PUT | CHILD => return part,
                _ => {}
            }
        }
        ""
    }

    /// The next mark of the plan, and what stands behind it.
    fn next(&mut self) -> Option<(u8, &'static str)> {
        let mark = *self.plan.as_bytes().first()?;
        let rest = &self.plan[1..];
        let end = rest.bytes().position(|byte| byte <= CHILD).unwrap_or(rest.len());
        let (part, rest) = rest.split_at(end);
        self.plan = rest;
        Some((mark, part))
    }
}
