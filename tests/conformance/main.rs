//! Every operation of the served OpenAPI document: requests by its owner, by strangers and by faulty clients,
//! and requests that schemathesis generates from the document.

mod described_success;
mod guard_form;
mod guard_route;
mod schemathesis;
