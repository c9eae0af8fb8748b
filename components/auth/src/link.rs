//! `/links/unsubscribe`: stops reminders and digests by e-mail. A mail program may press the button by itself
//! (RFC 8058). It then sends `List-Unsubscribe=One-Click`, which adds nothing to the link.

use rondo_contract::link_token::Purpose;
use rondo_guest::Refusal;
use rondo_guest::http::{Method, Request, Response};
use rondo_guest::link::{Page, follow};
use serde_json::json;

use crate::store::Store;

pub fn unsubscribe(request: &Request) -> Result<Response, Refusal> {
    follow(request, &[Purpose::Unsubscribe], |link| {
        if request.method == Method::Get {
            return Ok(Page::new("Unsubscribe from Rondo?")
                .line("You will get no more reminders and digests by e-mail.")
                .button("Unsubscribe")
                .response(200));
        }
        // A deleted account gets no mail anyway, so the outcome does not matter.
        Store::open()?.change(link.user_id, &json!({"notify_email": false}))?;
        Ok(Page::new("You have unsubscribed")
            .line("You get no more reminders and digests by e-mail.")
            .line("To get them again, turn e-mail on in the notification settings of your account.")
            .response(200))
    })
}
