//! Accounts, sessions and tokens in the database.

use rondo_guest::database::{Database, DatabaseError, Row, int, optional, text, text_list};
use serde_json::Value;

use crate::form::Registration;

pub struct Store(Database);

impl Store {
    pub fn open() -> Result<Self, DatabaseError> {
        Database::open("database_url").map(Self)
    }

    pub fn register(
        &self,
        registration: &Registration,
        password_hash: &str,
        address: Option<&str>,
        limits: &Value,
        mail: &Value,
    ) -> Result<Registered, DatabaseError> {
        let parameters = [
            text(registration.email.as_str()),
            text(registration.email_key()),
            text(password_hash),
            optional(registration.name.as_deref(), text),
            optional(registration.time_zone.as_deref(), text),
            optional(address, text),
            text(limits.to_string()),
            text(mail.to_string()),
        ];
        let mut row = self.0.query_one(include_str!("sql/account_register.sql"), &parameters)?;
        Ok(match row.text("outcome")?.as_str() {
            "registered" => Registered::Account(Account {
                id: row.int("user_id")?,
                granted_scopes: String::new(),
                json: row.text("answer")?,
            }),
            "throttled" => Registered::Throttled { retry_after_s: row.int("retry_after_s")? },
            _ => Registered::EmailTaken,
        })
    }

    /// Takes a try at a login.
    pub fn begin_login(
        &self,
        email_key: &str,
        address: Option<&str>,
        limits: &Value,
    ) -> Result<Try, DatabaseError> {
        let parameters = [text(email_key), optional(address, text), text(limits.to_string())];
        let mut row = self.0.query_one(include_str!("sql/login_begin.sql"), &parameters)?;
        let retry_after_s = row.int("retry_after_s")?;
        if retry_after_s > 0 {
            return Ok(Try::Throttled { retry_after_s });
        }
        let login = match row.optional_int("user_id")? {
            None => None,
            Some(id) => Some(Login {
                password_hash: row.text("password_hash")?,
                account: Account::read(id, &mut row)?,
            }),
        };
        Ok(Try::Taken(login))
    }

    /// Gives the try back: the password was right.
    pub fn login_succeeded(
        &self,
        email_key: &str,
        address: Option<&str>,
    ) -> Result<(), DatabaseError> {
        let parameters = [text(email_key), optional(address, text)];
        self.0.query_one(include_str!("sql/login_succeeded.sql"), &parameters)?;
        Ok(())
    }

    pub fn account(&self, user: i64) -> Result<Option<Account>, DatabaseError> {
        let row = self.0.query_optional(include_str!("sql/account_by_id.sql"), &[int(user)])?;
        row.map(|mut row| Account::read(user, &mut row)).transpose()
    }

    pub fn change(&self, user: i64, changes: &Value) -> Result<Changed, DatabaseError> {
        let parameters = [int(user), text(changes.to_string())];
        let mut row = self.0.query_one(include_str!("sql/account_change.sql"), &parameters)?;
        Ok(match row.text("outcome")?.as_str() {
            "changed" => Changed::Account(row.text("answer")?),
            "no_address" => Changed::NoAddress,
            _ => Changed::NoUser,
        })
    }

    /// False when the password is another by now.
    pub fn open_session(
        &self,
        user: i64,
        password_hash: &str,
        token_hash: &str,
        lifetime_s: i64,
    ) -> Result<bool, DatabaseError> {
        let parameters = [int(user), text(password_hash), text(token_hash), int(lifetime_s)];
        let mut row = self.0.query_one(include_str!("sql/session_open.sql"), &parameters)?;
        Ok(row.text("outcome")? == "opened")
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
        self.0.query_one(include_str!("sql/session_close.sql"), &[text(token_hash)])?;
        Ok(())
    }

    /// Whether the token was good.
    pub fn verify(&self, token_hash: &str) -> Result<bool, DatabaseError> {
        let mut row =
            self.0.query_one(include_str!("sql/email_verify.sql"), &[text(token_hash)])?;
        Ok(row.text("outcome")? == "verified")
    }

    /// Seconds to wait, when there have been too many mails; otherwise 0.
    pub fn resend(&self, user: i64, limits: &Value, mail: &Value) -> Result<i64, DatabaseError> {
        let parameters = [int(user), text(limits.to_string()), text(mail.to_string())];
        let statement = include_str!("sql/verification_resend.sql");
        self.0.query_one(statement, &parameters)?.int("retry_after_s")
    }

    /// Seconds to wait, when the address asks too often; otherwise 0.
    pub fn forgot(
        &self,
        email_key: &str,
        address: Option<&str>,
        limits: &Value,
        mail: &Value,
        unverified_mail: Option<&Value>,
    ) -> Result<i64, DatabaseError> {
        let parameters = [
            text(email_key),
            optional(address, text),
            text(limits.to_string()),
            text(mail.to_string()),
            optional(unverified_mail, |mail| text(mail.to_string())),
        ];
        let statement = include_str!("sql/password_forgot.sql");
        self.0.query_one(statement, &parameters)?.int("retry_after_s")
    }

    /// Whether the token was good.
    pub fn reset(&self, token_hash: &str, password_hash: &str) -> Result<bool, DatabaseError> {
        let parameters = [text(token_hash), text(password_hash)];
        let mut row = self.0.query_one(include_str!("sql/password_reset.sql"), &parameters)?;
        Ok(row.text("outcome")? == "reset")
    }

    /// A JSON array.
    pub fn api_tokens(&self, user: i64) -> Result<String, DatabaseError> {
        self.0.query_one(include_str!("sql/api_tokens.sql"), &[int(user)])?.text("answer")
    }

    /// The token's JSON; none when the user has `tokens_max` already.
    pub fn create_api_token(
        &self,
        user: i64,
        token_hash: &str,
        name: &str,
        scopes: impl IntoIterator<Item = String>,
        expires_at: Option<&str>,
        tokens_max: i64,
    ) -> Result<Option<String>, DatabaseError> {
        let parameters = [
            int(user),
            text(token_hash),
            text(name),
            text_list(scopes),
            optional(expires_at, text),
            int(tokens_max),
        ];
        let statement = include_str!("sql/api_token_create.sql");
        self.0.query_one(statement, &parameters)?.optional_text("answer")
    }

    /// False when the user has no such token.
    pub fn delete_api_token(&self, user: i64, id: i64) -> Result<bool, DatabaseError> {
        let statement = include_str!("sql/api_token_delete.sql");
        let mut row = self.0.query_one(statement, &[int(user), int(id)])?;
        Ok(row.text("outcome")? == "deleted")
    }
}

/// What became of a registration.
pub enum Registered {
    Account(Account),
    EmailTaken,
    Throttled { retry_after_s: i64 },
}

/// What became of a change of an account.
pub enum Changed {
    /// As it is answered.
    Account(String),
    /// Mail is wanted where none can go.
    NoAddress,
    NoUser,
}

/// A try at a login; without an account there is nothing to verify against.
pub enum Try {
    Taken(Option<Login>),
    Throttled { retry_after_s: i64 },
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
