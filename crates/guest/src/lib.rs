//! What components share: the bindings of what they import, a small adapter over wasi:http,
//! typed access to Postgres, problem responses, the authenticated caller and the intake of events.
//!
//! A component's `lib.rs` hands its incoming request to [`http::serve`], which answers with what
//! the component's routes return. Nothing here knows a table or a route of a component.

/// Generated once from `wit/`; components map their own imports onto these.
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "rondo:worlds/guest",
        generate_all,
    });
}

pub mod body;
pub mod caller;
pub mod clock;
pub mod database;
pub mod event;
pub mod http;
pub mod link;
pub mod page;
pub mod refusal;
pub mod variable;

pub use refusal::Refusal;
/// For the macros of this crate.
#[doc(hidden)]
pub use rondo_contract;
pub use rondo_trace::TraceContext;
