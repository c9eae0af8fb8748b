//! `/links/unsubscribe`: no more reminders and digests by e-mail. A mail program may press the button
//! by itself (RFC 8058): it sends `List-Unsubscribe=One-Click`, which says no more than the link.

use rondo_contract::link_token::Purpose;
use rondo_guest::Refusal;
use rondo_guest::http::{Method, Request, Response};
use rondo_guest::link::{Page, follow};
use serde_json::json;

use crate::store::Store;

pub fn unsubscribe(request: &Request) -> Result<Response, Refusal> {
    follow(request, &[Purpose::Unsubscribe], |link| {
        if request.method == Method::Get {
            return Ok(Page::new("No more e-mail from Rondo?")
                .line("Reminders and digests will no longer be mailed to you.")
                .button("Unsubscribe")
                .response(200));
        }
        // An account that is gone gets no mail either.
        Store::open()?.change(link.user_id, &json!({"notify_email": false}))?;
        Ok(Page::new("You get no more e-mail")
            .line("Reminders and digests are no longer mailed to you.")
            .line("To get them again, switch e-mail on in your account's notifications.")
            .response(200))
    })
}
