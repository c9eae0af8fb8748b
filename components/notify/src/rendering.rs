//! Turns an event into a recorded mail: reads the current state, decides, renders, records. Each mail is
//! recorded once, so a repeated or late event changes nothing.

use rondo_contract::cloud_event::Disposition;
use rondo_contract::event::{DigestEvent, TaskEvent};
use rondo_contract::link_token::LINK_SECRET_VARIABLE;
use rondo_contract::token::HmacKey;
use rondo_domain::instant;
use rondo_domain::zone::Zone;
use rondo_guest::database::DatabaseError;
use rondo_guest::event::Event;
use rondo_guest::{TraceContext, clock, variable};

use crate::VERIFIED_ONLY_VARIABLE;
use crate::decision;
use crate::digest;
use crate::mail::Links;
use crate::store::Store;

const PUBLIC_URL_VARIABLE: &str = "public_url";

/// Everything needed to render mails.
pub struct Rendering {
    store: Store,
    verified_only: bool,
    /// Without a trailing slash.
    public_url: String,
    key: HmacKey,
}

impl Rendering {
    /// # Errors
    /// If a variable or the database is missing.
    pub fn open() -> Result<Self, String> {
        let get = |name: &str| variable::get(name).map_err(|error| error.to_string());
        let key = HmacKey::new(get(LINK_SECRET_VARIABLE)?.as_bytes())
            .map_err(|error| format!("variable {LINK_SECRET_VARIABLE}: {error}"))?;
        Ok(Self {
            verified_only: get(VERIFIED_ONLY_VARIABLE)? == "true",
            public_url: get(PUBLIC_URL_VARIABLE)?.trim_end_matches('/').to_owned(),
            key,
            store: Store::open().map_err(|error| error.to_string())?,
        })
    }

    /// `reminder.due`.
    pub fn reminder(&self, event: &Event) -> Result<Disposition, DatabaseError> {
        let read =
            TaskEvent::parse(&event.data).and_then(|value| Ok((decision::firing(&value)?, value)));
        let (firing, value) = match read {
            Ok(read) => read,
            Err(reason) => return Ok(Disposition::Reject { reason }),
        };
        // Without the task or reminder, there is nobody to notify and no history to keep.
        let Some(reminder) = self.store.reminder(value.user_id, firing.reminder_id)? else {
            return Ok(Disposition::Done);
        };
        let record = decision::is_current(&reminder, &firing, self.verified_only)
            .then(|| reminder.record(&reminder.mail(&firing, &self.links(value.user_id))));
        self.store.record(&firing, record.as_ref(), &traceparent(event))?;
        Ok(Disposition::Done)
    }

    /// `digest.due`. Nothing is recorded if the user does not want it or the digest is empty.
    pub fn digest(&self, event: &Event) -> Result<Disposition, DatabaseError> {
        let read = DigestEvent::parse(&event.data).and_then(|value| {
            let day = instant::parse_date(&value.day).map_err(|error| format!("day {error}"))?;
            Ok((value, day))
        });
        let (value, day) = match read {
            Ok(read) => read,
            Err(reason) => return Ok(Disposition::Reject { reason }),
        };
        let reader = self.store.digest_reader(value.user_id)?;
        let Some(reader) = reader.filter(|reader| reader.is_reachable(self.verified_only)) else {
            return Ok(Disposition::Done);
        };
        let zone = Zone::parse(&reader.time_zone).unwrap_or_else(|_| Zone::utc());
        let Some(bounds) = digest::bounds(day, &zone) else { return Ok(Disposition::Done) };
        let digest = self.store.digest(value.user_id, bounds)?;
        let links = self.links(value.user_id);
        if let Some(mail) = digest.mail(day, &zone, &reader, &links) {
            let (missed, trace) = (&digest.missed.items, traceparent(event));
            self.store.record_digest(value.user_id, &value.day, &mail, missed, &trace)?;
        }
        Ok(Disposition::Done)
    }

    fn links(&self, user_id: i64) -> Links<'_> {
        Links { public_url: &self.public_url, key: &self.key, user_id, now: clock::now() }
    }
}

/// The trace that the mail continues.
fn traceparent(event: &Event) -> String {
    TraceContext::received(event.traceparent.as_deref()).traceparent()
}
