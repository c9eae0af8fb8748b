//! What components share: bindings of their imports, a small adapter over wasi:http, typed access to
//! Postgres, problem responses, the authenticated caller and the intake of events.
//!
//! A component's `lib.rs` passes its incoming request to [`http::serve`], which answers with the result of
//! the component's routes. Nothing here knows a table or a route of a component.

/// Generated once from `wit/`; components map their own imports to these.
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "rondo:worlds/guest",
        generate_all,
    });
}

/// Generates a component's bindings for a world of `wit/`, in a module `bindings`. The component's imports
/// are mapped to [`bindings`]. A world that imports more than HTTP may list further mappings after its name.
#[macro_export]
macro_rules! generate_bindings {
    ($world:literal $(, $interface:literal: $module:path)* $(,)?) => {
        mod bindings {
            wit_bindgen::generate!({
                path: "../../wit",
                world: $world,
                with: {
                    "wasi:io/error@0.2.6": rondo_guest::bindings::wasi::io::error,
                    "wasi:io/poll@0.2.6": rondo_guest::bindings::wasi::io::poll,
                    "wasi:io/streams@0.2.6": rondo_guest::bindings::wasi::io::streams,
                    "wasi:clocks/monotonic-clock@0.2.6": rondo_guest::bindings::wasi::clocks::monotonic_clock,
                    "wasi:http/types@0.2.6": rondo_guest::bindings::wasi::http::types,
                    $($interface: $module,)*
                },
                generate_all,
            });
        }
    };
}

/// [`generate_bindings`] for a world with a database and variables: a `service` of `wit/world.wit`.
#[macro_export]
macro_rules! generate_service_bindings {
    ($world:literal) => {
        $crate::generate_bindings!(
            $world,
            "spin:postgres/postgres@4.0.0": rondo_guest::spin_sdk::wit::pg4,
            "fermyon:spin/variables@2.0.0": rondo_guest::spin_sdk::wit::v2::variables,
        );
    };
}

pub mod asset;
pub mod body;
pub mod caller;
pub mod clock;
pub mod database;
pub mod event;
pub mod http;
pub mod link;
pub mod outgoing;
pub mod page;
pub mod refusal;
pub mod variable;
mod writer;

pub use refusal::Refusal;
pub use rondo_trace::TraceContext;
/// For the macros of this crate.
#[doc(hidden)]
pub use {rondo_contract, spin_sdk};
