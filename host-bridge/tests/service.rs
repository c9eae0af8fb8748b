//! What runs beside the components, against a real Postgres, a real mail server and real receivers.

#[path = "service/clock.rs"]
mod clock;
#[path = "service/dead_letter.rs"]
mod dead_letter;
#[path = "service/derivation.rs"]
mod derivation;
#[path = "service/digest.rs"]
mod digest;
#[path = "service/gauge.rs"]
mod gauge;
#[path = "service/grant.rs"]
mod grant;
#[path = "service/mail_transport.rs"]
mod mail_transport;
#[path = "service/mailer.rs"]
mod mailer;
#[path = "service/member.rs"]
mod member;
#[path = "service/retention.rs"]
mod retention;
#[path = "service/seed.rs"]
mod seed;
#[path = "service/transport.rs"]
mod transport;
#[path = "service/webhook.rs"]
mod webhook;
