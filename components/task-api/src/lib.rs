//! The task-api component: serves the routes of `crates/task`.

rondo_guest::generate_service_bindings!("rondo:worlds/task-api");

use rondo_guest::bindings::wasi::http::types::{IncomingRequest, ResponseOutparam};
use rondo_guest::http;
use rondo_task::{methods, route};

struct Component;

impl bindings::exports::wasi::http::incoming_handler::Guest for Component {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        http::serve(request, out, methods, route);
    }
}

bindings::export!(Component with_types_in bindings);
