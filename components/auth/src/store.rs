//! Accounts and sessions in the database.

use rondo_guest::database::{Database, DatabaseError, Row, int, optional, text};

use crate::form::Registration;

pub struct Store(Database);

impl Store {
    pub fn open() -> Result<Self, DatabaseError> {
        Database::open("database_url").map(Self)
    }

    /// None when the e-mail is taken.
    pub fn register(
        &self,
        registration: &Registration,
        password_hash: &str,
    ) -> Result<Option<Account>, DatabaseError> {
        let parameters = [
            text(registration.email.as_str()),
            text(registration.email_key()),
            text(password_hash),
            optional(registration.name.as_deref(), text),
            optional(registration.time_zone.as_deref(), text),
        ];
        let mut row = self.0.query_one(include_str!("sql/account_register.sql"), &parameters)?;
        if row.text("outcome")? == "email_taken" {
            return Ok(None);
        }
        let account = Account {
            id: row.int("user_id")?,
            granted_scopes: String::new(),
            json: row.text("answer")?,
        };
        Ok(Some(account))
    }

    pub fn login(&self, email_key: &str) -> Result<Option<Login>, DatabaseError> {
        let row =
            self.0.query_optional(include_str!("sql/account_by_email.sql"), &[text(email_key)])?;
        row.map(|mut row| {
            let id = row.int("id")?;
            let password_hash = row.text("password_hash")?;
            Ok(Login { password_hash, account: Account::read(id, &mut row)? })
        })
        .transpose()
    }

    pub fn account(&self, user: i64) -> Result<Option<Account>, DatabaseError> {
        let row = self.0.query_optional(include_str!("sql/account_by_id.sql"), &[int(user)])?;
        row.map(|mut row| Account::read(user, &mut row)).transpose()
    }

    pub fn open_session(
        &self,
        user: i64,
        token_hash: &str,
        lifetime_s: i64,
    ) -> Result<(), DatabaseError> {
        let parameters = [int(user), text(token_hash), int(lifetime_s)];
        self.0.query_one(include_str!("sql/session_open.sql"), &parameters)?;
        Ok(())
    }

    /// The user whose session goes on; none when the token is not valid.
    pub fn rotate_session(
        &self,
        token_hash: &str,
        next_hash: &str,
        lifetime_s: i64,
    ) -> Result<Option<i64>, DatabaseError> {
        let parameters = [text(token_hash), text(next_hash), int(lifetime_s)];
        let mut row = self.0.query_one(include_str!("sql/session_rotate.sql"), &parameters)?;
        row.optional_int("user_id")
    }

    pub fn close_session(&self, token_hash: &str) -> Result<(), DatabaseError> {
        self.0.query_optional(include_str!("sql/session_close.sql"), &[text(token_hash)])?;
        Ok(())
    }
}

pub struct Account {
    pub id: i64,
    /// Separated by spaces.
    pub granted_scopes: String,
    /// As it is answered.
    pub json: String,
}

impl Account {
    fn read(id: i64, row: &mut Row) -> Result<Self, DatabaseError> {
        let granted_scopes = row.text("granted_scopes")?;
        Ok(Self { id, granted_scopes, json: row.text("answer")? })
    }
}

/// An account with what its password is verified against.
pub struct Login {
    pub password_hash: String,
    pub account: Account,
}
