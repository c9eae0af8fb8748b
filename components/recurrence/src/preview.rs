//! `POST /api/{user_id}/recurrence/preview`: what a rule would make, before it is saved.

use rondo_domain::access::Scope;
use rondo_guest::http::{Method, Request, Response};
use rondo_guest::{Refusal, caller};

pub fn answer(request: &Request, user: Option<&str>) -> Result<Response, Refusal> {
    let _user = caller::acting(request, user, Scope::TasksRead)?;
    if request.method != Method::Post {
        return Err(request.method_not_allowed(&[Method::Post]));
    }
    Err(Refusal::not_found())
}
