//! Accounts, sessions and tokens in the database.

use rondo_guest::caller::Login;
use rondo_guest::database::{Database, DatabaseError, Row, int, optional, text, text_list};
use serde_json::Value;

use crate::form::Registration;
use crate::mail::Purpose;

pub struct Store(Database);

impl Store {
    pub fn open() -> Result<Self, DatabaseError> {
        Database::open("database_url").map(Self)
    }

    /// Counts an attempt to register; `invitation` is the hash of the required invitation's token.
    pub fn begin_registration(
        &self,
        email_key: &str,
        invitation: Option<&str>,
        address: Option<&str>,
        limits: Option<&Value>,
    ) -> Result<RegistrationTry, DatabaseError> {
        let parameters = [
            text(email_key),
            optional(invitation, text),
            optional(address, text),
            optional(limits.map(ToString::to_string), text),
        ];
        let statement = include_str!("sql/registration_begin.sql");
        let mut row = self.0.query_one(statement, &parameters)?;
        Ok(match row.text("outcome")?.as_str() {
            "begun" => RegistrationTry::Taken,
            "throttled" => RegistrationTry::Throttled { retry_after_s: row.int("retry_after_s")? },
            "invitation_invalid" => RegistrationTry::InvitationInvalid,
            _ => RegistrationTry::EmailTaken,
        })
    }

    pub fn register(
        &self,
        registration: &Registration,
        password_hash: &str,
        invitation: Option<&str>,
        mail: &Value,
    ) -> Result<Registered, DatabaseError> {
        let parameters = [
            text(registration.email.as_str()),
            text(registration.email_key()),
            text(password_hash),
            optional(registration.name.as_deref(), text),
            optional(registration.time_zone.as_deref(), text),
            optional(invitation, text),
            text(mail.to_string()),
        ];
        let mut row = self.0.query_one(include_str!("sql/account_register.sql"), &parameters)?;
        Ok(match row.text("outcome")?.as_str() {
            "registered" => Registered::Account(Account {
                id: row.int("user_id")?,
                granted_scopes: String::new(),
                json: row.text("answer")?,
            }),
            "invitation_invalid" => Registered::InvitationInvalid,
            _ => Registered::EmailTaken,
        })
    }

    /// When the invitation expires; none if the session has ended.
    pub fn invite(
        &self,
        login: Login,
        token_hash: &str,
        email_key: Option<&str>,
        lifetime_s: i64,
    ) -> Result<Option<String>, DatabaseError> {
        let parameters = [
            int(login.user_id),
            int(login.issued_at_s),
            text(token_hash),
            optional(email_key, text),
            int(lifetime_s),
        ];
        let statement = include_str!("sql/invitation_create.sql");
        self.0.query_one(statement, &parameters)?.optional_text("expires_at")
    }

    /// Counts an attempt to log in.
    pub fn begin_login(
        &self,
        email_key: &str,
        address: Option<&str>,
        limits: &Value,
    ) -> Result<LoginTry, DatabaseError> {
        let parameters = [text(email_key), optional(address, text), text(limits.to_string())];
        let mut row = self.0.query_one(include_str!("sql/login_begin.sql"), &parameters)?;
        let retry_after_s = row.int("retry_after_s")?;
        if retry_after_s > 0 {
            return Ok(LoginTry::Throttled { retry_after_s });
        }
        let login = match row.optional_int("user_id")? {
            None => None,
            Some(id) => Some(Candidate {
                password_hash: row.text("password_hash")?,
                account: Account::read(id, &mut row)?,
            }),
        };
        Ok(LoginTry::Taken(login))
    }

    /// Takes the attempt back, because the password was right.
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

    /// The moment from which access tokens are valid for sensitive requests, in seconds since the epoch; none
    /// if no session was opened: see [`Opening`].
    pub fn open_session(
        &self,
        user: i64,
        opening: &Opening<'_>,
        token_hash: &str,
        lifetime_s: i64,
    ) -> Result<Option<i64>, DatabaseError> {
        let mut row = match opening {
            Opening::Login { password_hash } => {
                let parameters =
                    [int(user), text(*password_hash), text(token_hash), int(lifetime_s)];
                self.0.query_one(include_str!("sql/session_open.sql"), &parameters)?
            }
            Opening::PasswordChange { login, verified_hash, hash, notice } => {
                let parameters = [
                    int(user),
                    int(login.issued_at_s),
                    text(*verified_hash),
                    text(*hash),
                    text(token_hash),
                    int(lifetime_s),
                    text(notice.to_string()),
                ];
                self.0.query_one(include_str!("sql/password_change.sql"), &parameters)?
            }
        };
        let is_open = matches!(row.text("outcome")?.as_str(), "opened" | "changed");
        let valid_from_s = row.int("valid_from_s")?;
        Ok(is_open.then_some(valid_from_s))
    }

    /// None if the token is not valid.
    pub fn rotate_session(
        &self,
        token_hash: &str,
        next_hash: &str,
        lifetime_s: i64,
    ) -> Result<Option<Rotated>, DatabaseError> {
        let parameters = [text(token_hash), text(next_hash), int(lifetime_s)];
        let mut row = self.0.query_one(include_str!("sql/session_rotate.sql"), &parameters)?;
        let valid_from_s = row.int("valid_from_s")?;
        Ok(row.optional_int("user_id")?.map(|user_id| Rotated { user_id, valid_from_s }))
    }

    /// Notes the program that has just got a refresh token. The session's id.
    pub fn note_session(
        &self,
        token_hash: &str,
        program: Option<String>,
    ) -> Result<Option<String>, DatabaseError> {
        let parameters = [text(token_hash), optional(program, text)];
        let mut row = self.0.query_one(include_str!("sql/session_note.sql"), &parameters)?;
        row.optional_text("session")
    }

    /// The user's sessions, JSON.
    pub fn sessions(&self, user: i64, lifetime_s: i64) -> Result<String, DatabaseError> {
        let parameters = [int(user), int(lifetime_s)];
        self.0.query_one(include_str!("sql/sessions.sql"), &parameters)?.text("answer")
    }

    /// Whether the user had such a session.
    pub fn end_session(&self, user: i64, session: &str) -> Result<bool, DatabaseError> {
        let parameters = [int(user), text(session)];
        let mut row = self.0.query_one(include_str!("sql/session_end.sql"), &parameters)?;
        Ok(row.text("outcome")? == "ended")
    }

    pub fn close_session(&self, token_hash: &str) -> Result<(), DatabaseError> {
        self.0.query_one(include_str!("sql/session_close.sql"), &[text(token_hash)])?;
        Ok(())
    }

    /// Whether the token was valid.
    pub fn verify(&self, token_hash: &str, session: Option<Login>) -> Result<bool, DatabaseError> {
        let parameters = [
            text(token_hash),
            optional(session.map(|login| login.user_id), int),
            optional(session.map(|login| login.issued_at_s), int),
        ];
        let mut row = self.0.query_one(include_str!("sql/email_verify.sql"), &parameters)?;
        Ok(row.text("outcome")? == "verified")
    }

    /// Seconds to wait if there have been too many mails; otherwise 0.
    pub fn resend(&self, user: i64, limits: &Value, mail: &Value) -> Result<i64, DatabaseError> {
        let parameters = [int(user), text(limits.to_string()), text(mail.to_string())];
        let statement = include_str!("sql/verification_resend.sql");
        self.0.query_one(statement, &parameters)?.int("retry_after_s")
    }

    /// Seconds to wait if the address has sent too many requests; otherwise 0.
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

    /// The owner of a mailed token; none if the token is not valid.
    pub fn token_owner(
        &self,
        token_hash: &str,
        purpose: Purpose,
    ) -> Result<Option<TokenOwner>, DatabaseError> {
        let parameters = [text(token_hash), text(purpose.as_str())];
        let mut row = self.0.query_one(include_str!("sql/mailed_token.sql"), &parameters)?;
        let (email, name) = (row.optional_text("email")?, row.optional_text("name")?);
        Ok(row.optional_int("user_id")?.map(|_| TokenOwner { email, name }))
    }

    /// Whether the token was valid.
    pub fn reset(
        &self,
        token_hash: &str,
        password_hash: &str,
        notice: &Value,
    ) -> Result<bool, DatabaseError> {
        let parameters = [text(token_hash), text(password_hash), text(notice.to_string())];
        let mut row = self.0.query_one(include_str!("sql/password_reset.sql"), &parameters)?;
        Ok(row.text("outcome")? == "reset")
    }

    /// Counts an attempt at the present password.
    pub fn begin_password_change(
        &self,
        login: Login,
        address: Option<&str>,
        limits: &Value,
    ) -> Result<PasswordTry, DatabaseError> {
        let parameters = [
            int(login.user_id),
            int(login.issued_at_s),
            optional(address, text),
            text(limits.to_string()),
        ];
        let statement = include_str!("sql/password_change_begin.sql");
        let mut row = self.0.query_one(statement, &parameters)?;
        Ok(match row.text("outcome")?.as_str() {
            "begun" => PasswordTry::Taken(CurrentPassword {
                hash: row.text("password_hash")?,
                email: row.text("email")?,
                name: row.optional_text("name")?,
            }),
            "throttled" => PasswordTry::Throttled { retry_after_s: row.int("retry_after_s")? },
            "no_password" => PasswordTry::NoPassword,
            _ => PasswordTry::SessionEnded,
        })
    }

    /// A JSON array.
    pub fn api_tokens(&self, user: i64) -> Result<String, DatabaseError> {
        self.0.query_one(include_str!("sql/api_tokens.sql"), &[int(user)])?.text("answer")
    }

    #[allow(clippy::too_many_arguments)]
    pub fn create_api_token(
        &self,
        login: Login,
        token_hash: &str,
        name: &str,
        scopes: impl IntoIterator<Item = String>,
        expires_at: Option<&str>,
        tokens_max: i64,
        notice: &Value,
    ) -> Result<TokenCreation, DatabaseError> {
        let parameters = [
            int(login.user_id),
            int(login.issued_at_s),
            text(token_hash),
            text(name),
            text_list(scopes),
            optional(expires_at, text),
            int(tokens_max),
            text(notice.to_string()),
        ];
        let statement = include_str!("sql/api_token_create.sql");
        let mut row = self.0.query_one(statement, &parameters)?;
        Ok(match row.text("outcome")?.as_str() {
            "made" => TokenCreation::Token(row.text("answer")?),
            "too_many" => TokenCreation::TooMany,
            _ => TokenCreation::SessionEnded,
        })
    }

    /// False if the user has no such token.
    pub fn delete_api_token(&self, user: i64, id: i64) -> Result<bool, DatabaseError> {
        let statement = include_str!("sql/api_token_delete.sql");
        let mut row = self.0.query_one(statement, &[int(user), int(id)])?;
        Ok(row.text("outcome")? == "deleted")
    }
}

/// The outcome of a registration.
pub enum Registered {
    Account(Account),
    InvitationInvalid,
    EmailTaken,
}

/// The outcome of counting an attempt to register.
pub enum RegistrationTry {
    Taken,
    Throttled { retry_after_s: i64 },
    InvitationInvalid,
    EmailTaken,
}

/// The outcome of a change of an account.
pub enum Changed {
    /// The account's JSON for the response.
    Account(String),
    /// The user wants mail, but the account has no usable address.
    NoAddress,
    NoUser,
}

/// The outcome of creating an API token.
pub enum TokenCreation {
    /// The JSON for the response, without the token itself.
    Token(String),
    TooMany,
    SessionEnded,
}

/// The reason for opening a session.
pub enum Opening<'a> {
    /// The password of this hash was right; it may have been changed in the meantime.
    Login { password_hash: &'a str },
    /// The password changes and every other session ends, unless this one has ended or the verified hash is
    /// outdated.
    PasswordChange { login: Login, verified_hash: &'a str, hash: &'a str, notice: Value },
}

/// A session that continues.
pub struct Rotated {
    pub user_id: i64,
    /// See [`Store::open_session`].
    pub valid_from_s: i64,
}

/// The owner of a mailed token.
pub struct TokenOwner {
    pub email: Option<String>,
    pub name: Option<String>,
}

/// An attempt at the password of a logged-in user.
pub enum PasswordTry {
    Taken(CurrentPassword),
    Throttled { retry_after_s: i64 },
    SessionEnded,
    NoPassword,
}

/// The present password's hash, and its user.
pub struct CurrentPassword {
    pub hash: String,
    pub email: String,
    pub name: Option<String>,
}

/// An attempt to log in. Without an account there is no hash to verify against.
pub enum LoginTry {
    Taken(Option<Candidate>),
    Throttled { retry_after_s: i64 },
}

pub struct Account {
    pub id: i64,
    /// Separated by spaces.
    pub granted_scopes: String,
    /// The account's JSON for the response.
    pub json: String,
}

impl Account {
    fn read(id: i64, row: &mut Row) -> Result<Self, DatabaseError> {
        let granted_scopes = row.text("granted_scopes")?;
        Ok(Self { id, granted_scopes, json: row.text("answer")? })
    }
}

/// An account, and the hash to verify its password against.
pub struct Candidate {
    pub password_hash: String,
    pub account: Account,
}
