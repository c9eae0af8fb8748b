//! Every operation of the served OpenAPI document: as its owner asks it, as strangers and broken
//! clients do, and as schemathesis generates requests from the document.

mod described_success;
mod guard_form;
mod guard_route;
mod schemathesis;
