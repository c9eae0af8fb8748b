//! From a request to all its effects, on `rondo up` without a broker: successors, mails, webhooks, over
//! years and through kills.

mod kill;
mod reminder_mail;
mod story;
mod trace;
mod two_years;
mod webhook;
