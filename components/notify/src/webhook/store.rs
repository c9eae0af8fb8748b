//! The statements for webhooks.

use std::collections::HashSet;

use rondo_contract::webhook::{DELIVERY_DAYS, TEST_TYPE};
use rondo_guest::caller::Login;
use rondo_guest::database::{
    Database, DatabaseError, ParameterValue, boolean, int, optional, text, text_list,
};
use rondo_guest::event::Event;
use serde_json::Value;
use serde_json::value::RawValue;

use super::form::{NewWebhook, WebhookChange};
use crate::store::Page;

/// An event that webhooks can subscribe to, and its user.
pub struct Deliverable<'a> {
    pub event: &'a Event,
    pub user: i64,
}

pub struct Store(Database);

impl Store {
    pub fn open() -> Result<Self, DatabaseError> {
        Database::open("database_url").map(Self)
    }

    /// A JSON array, newest first.
    pub fn webhooks(&self, user: i64) -> Result<String, DatabaseError> {
        let parameters = [int(user), optional(None, int)];
        self.0.query_one(include_str!("../sql/webhooks.sql"), &parameters)?.text("answer")
    }

    /// A JSON object; none if there is no such webhook.
    pub fn webhook(&self, user: i64, id: i64) -> Result<Option<String>, DatabaseError> {
        let parameters = [int(user), int(id)];
        let mut row = self.0.query_one(include_str!("../sql/webhooks.sql"), &parameters)?;
        let only: Vec<Box<RawValue>> = row.json("answer")?;
        Ok(only.first().map(|webhook| webhook.get().to_owned()))
    }

    /// Refused if the user already has `webhooks_max`.
    pub fn create(
        &self,
        login: Login,
        form: &NewWebhook,
        secret: &str,
        webhooks_max: i64,
        notice: &Value,
    ) -> Result<Outcome, DatabaseError> {
        let parameters = [
            int(login.user_id),
            int(login.issued_at_s),
            text(form.url.as_str()),
            text_list(form.events.iter().map(|&name| name.to_owned())),
            text(secret),
            int(webhooks_max),
            text(notice.to_string()),
        ];
        self.outcome(include_str!("../sql/webhook_create.sql"), &parameters)
    }

    pub fn change(
        &self,
        login: Login,
        id: i64,
        change: &WebhookChange,
        notice: Option<&Value>,
    ) -> Result<Outcome, DatabaseError> {
        let events = change.events.as_ref();
        let names = events.map(|events| events.iter().map(|&name| name.to_owned()));
        let parameters = [
            int(login.user_id),
            int(login.issued_at_s),
            int(id),
            optional(change.url.as_deref(), text),
            optional(names, text_list),
            optional(change.enabled, boolean),
            optional(notice.map(ToString::to_string), text),
        ];
        self.outcome(include_str!("../sql/webhook_change.sql"), &parameters)
    }

    /// The webhook as JSON; none if there is no such webhook.
    pub fn renew_secret(
        &self,
        login: Login,
        id: i64,
        secret: &str,
        overlap_s: i64,
    ) -> Result<Outcome, DatabaseError> {
        let (user, issued_at_s) = (login.user_id, login.issued_at_s);
        let parameters = [int(user), int(issued_at_s), int(id), text(secret), int(overlap_s)];
        self.outcome(include_str!("../sql/webhook_secret_renew.sql"), &parameters)
    }

    /// False if there is no such webhook.
    pub fn delete(&self, user: i64, id: i64) -> Result<bool, DatabaseError> {
        let sql = include_str!("../sql/webhook_delete.sql");
        let mut row = self.0.query_one(sql, &[int(user), int(id)])?;
        Ok(row.text("outcome")? == "deleted")
    }

    pub fn test(&self, login: Login, id: i64, traceparent: &str) -> Result<Outcome, DatabaseError> {
        let (user, issued_at_s) = (login.user_id, login.issued_at_s);
        let parameters = [int(user), int(issued_at_s), int(id), text(TEST_TYPE), text(traceparent)];
        self.outcome(include_str!("../sql/webhook_test.sql"), &parameters)
    }

    pub fn redeliver(
        &self,
        login: Login,
        webhook: i64,
        delivery: i64,
    ) -> Result<Outcome, DatabaseError> {
        let parameters = [int(login.user_id), int(login.issued_at_s), int(webhook), int(delivery)];
        self.outcome(include_str!("../sql/webhook_redeliver.sql"), &parameters)
    }

    /// None if there is no such webhook.
    pub fn deliveries(
        &self,
        user: i64,
        webhook: i64,
        cursor: Option<i64>,
        limit: i64,
    ) -> Result<Option<Page>, DatabaseError> {
        let parameters = [int(user), int(webhook), optional(cursor, int), int(limit)];
        let sql = include_str!("../sql/webhook_deliveries.sql");
        let mut row = self.0.query_one(sql, &parameters)?;
        if !row.boolean("is_known")? {
            return Ok(None);
        }
        let more = row.boolean("more")?;
        let next = row.optional_int("last_id")?.filter(|_| more);
        Ok(Some(Page { items: row.text("items")?, next }))
    }

    /// The users, among those given, who have an enabled webhook.
    pub fn subscribers(&self, users: &HashSet<i64>) -> Result<HashSet<i64>, DatabaseError> {
        let users = text_list(users.iter().map(ToString::to_string));
        let mut row = self.0.query_one(include_str!("../sql/webhook_subscribers.sql"), &[users])?;
        row.json("users")
    }

    pub fn record(&self, events: &[Deliverable]) -> Result<(), DatabaseError> {
        let column =
            |value: fn(&Deliverable) -> Option<String>| text_list(events.iter().map(value));
        let parameters = [
            column(|one| Some(one.event.id.clone())),
            column(|one| Some(one.event.event_type.clone())),
            column(|one| Some(one.user.to_string())),
            column(|one| Some(one.event.time.clone())),
            column(|one| one.event.traceparent.clone()),
            column(|one| Some(one.event.data.clone())),
            int(DELIVERY_DAYS.into()),
        ];
        self.0.query_one(include_str!("../sql/webhook_deliveries_record.sql"), &parameters)?;
        Ok(())
    }

    /// The outcome of a statement that requires a current session.
    fn outcome(&self, sql: &str, parameters: &[ParameterValue]) -> Result<Outcome, DatabaseError> {
        let mut row = self.0.query_one(sql, parameters)?;
        let answer = row.optional_text("answer")?;
        Ok(match (row.text("outcome")?.as_str(), answer) {
            ("session_ended", _) => Outcome::SessionEnded,
            (_, Some(answer)) => Outcome::Done(answer),
            (_, None) => Outcome::Refused,
        })
    }
}

/// The outcome of a request.
pub enum Outcome {
    /// A JSON object.
    Done(String),
    SessionEnded,
    Refused,
}
