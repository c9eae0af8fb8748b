//! `view!`: markup with Rust in it, as a view of the web client.
//!
//! What stands fast becomes one text, the plan, that the client reads while it builds. Each expression becomes one
//! call between. So an element costs some bytes, not a function of its own.

use proc_macro::TokenStream;
use proc_macro2::{Span, TokenStream as Tokens};
use quote::quote;
use rstml::node::{KeyedAttribute, Node, NodeAttribute, NodeBlock};
use rstml::{Parser, ParserConfig};
use syn::{Expr, ExprLit, Ident, Lit, Stmt};

/// Elements without content, which need no closing tag.
const VOID: [&str; 4] = ["br", "hr", "img", "input"];

// The marks in a plan, each before a name or a text. `web/src/dom/plan.rs` has the same.
const OPEN: char = '\u{1}';
const CLOSE: char = '\u{2}';
const TEXT: char = '\u{3}';
const NAME: char = '\u{4}';
const VALUE: char = '\u{5}';
const PUT: char = '\u{6}';
const CHILD: char = '\u{7}';

/// Elements, texts and blocks, as one `crate::dom::View`.
#[proc_macro]
pub fn view(input: TokenStream) -> TokenStream {
    let config = ParserConfig::default().always_self_closed_elements(VOID.into());
    let nodes = match Parser::new(config).parse_simple(input) {
        Ok(nodes) => nodes,
        Err(error) => return error.to_compile_error().into(),
    };
    let mut building = Building {
        plan: String::new(),
        calls: Vec::new(),
        at: Ident::new("at", Span::mixed_site()),
    };
    if let Err(error) = building.all(&nodes) {
        return error.to_compile_error().into();
    }
    let Building { plan, calls, at } = building;
    quote! {{
        let mut #at = crate::dom::Building::new(#plan);
        #(#calls)*
        #at.done()
    }}
    .into()
}

struct Building {
    plan: String,
    calls: Vec<Tokens>,
    /// The variable of the expansion.
    at: Ident,
}

impl Building {
    fn all(&mut self, nodes: &[Node]) -> syn::Result<()> {
        nodes.iter().try_for_each(|node| self.one(node))
    }

    fn one(&mut self, node: &Node) -> syn::Result<()> {
        let at = self.at.clone();
        match node {
            Node::Element(element) => {
                self.mark(OPEN, &element.name().to_string());
                for attribute in element.attributes() {
                    match attribute {
                        NodeAttribute::Attribute(attribute) => self.attribute(attribute)?,
                        NodeAttribute::Block(block) => {
                            return Err(error(block, "an attribute has a name"));
                        }
                    }
                }
                self.all(&element.children)?;
                self.mark(CLOSE, "");
            }
            Node::Fragment(fragment) => self.all(&fragment.children)?,
            Node::Text(text) => self.mark(TEXT, &text.value_string()),
            Node::Block(NodeBlock::ValidBlock(block)) => {
                let content = match &block.stmts[..] {
                    [Stmt::Expr(expression, None)] => quote!(#expression),
                    _ => quote!(#block),
                };
                self.mark(CHILD, "");
                self.calls.push(quote!(#at.child(crate::dom::IntoView::into_view(#content));));
            }
            other => return Err(error(other, "only elements, blocks and quoted texts stand here")),
        }
        Ok(())
    }

    fn attribute(&mut self, attribute: &KeyedAttribute) -> syn::Result<()> {
        let (at, name) = (self.at.clone(), attribute.key.to_string());
        let Some(value) = attribute.value() else {
            self.fixed(&name, "");
            return Ok(());
        };
        if let Some(event) = name.strip_prefix("on:") {
            let listen = match event {
                "click" => "mouse",
                "keydown" => "key",
                "submit" => "submit",
                "input" | "change" | "close" => "event",
                "focusin" | "focusout" => "focus",
                "dragstart" | "dragend" | "dragover" | "dragleave" | "drop" => "drag",
                "pointerdown" => "pointer",
                _ => return Err(error(&attribute.key, "this event has no type yet")),
            };
            let listen = Ident::new(listen, Span::call_site());
            self.mark(PUT, event);
            self.calls.push(quote!(#at.#listen(#value);));
        } else if name == "node_ref" {
            self.mark(PUT, "");
            self.calls.push(quote!(#at.node_ref(#value);));
        } else {
            match value {
                Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if !name.contains(':') => {
                    self.fixed(&name, &text.value())
                }
                Expr::Lit(ExprLit { lit: Lit::Bool(is_on), .. }) if !name.contains(':') => {
                    if is_on.value {
                        self.fixed(&name, "");
                    }
                }
                _ => {
                    let value = bare(value);
                    self.mark(PUT, &name);
                    self.calls.push(
                        quote!(#at.attribute(crate::dom::IntoAttribute::into_attribute(#value));),
                    );
                }
            }
        }
        Ok(())
    }

    fn fixed(&mut self, name: &str, value: &str) {
        self.mark(NAME, name);
        self.mark(VALUE, value);
    }

    fn mark(&mut self, mark: char, text: &str) {
        self.plan.push(mark);
        self.plan.push_str(text);
    }
}

/// An expression without braces that it does not need.
fn bare(value: &Expr) -> &Expr {
    match value {
        Expr::Block(block) if block.label.is_none() && block.attrs.is_empty() => {
            match &block.block.stmts[..] {
                [Stmt::Expr(inner, None)] => inner,
                _ => value,
            }
        }
        _ => value,
    }
}

fn error(at: impl quote::ToTokens, words: &str) -> syn::Error {
    syn::Error::new_spanned(at, words)
}
