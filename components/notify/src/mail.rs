//! A mail: one list of blocks, rendered as text and as HTML.
//!
//! Titles, descriptions and names are arbitrary text. None may break out of its line, the subject header or
//! the markup.

use askama::Template;
use rondo_contract::link_token::{Link, Purpose, UNSUBSCRIBE_LINK_LIFETIME_S};
use rondo_contract::token::HmacKey;
use rondo_domain::instant::Instant;
use serde_json::{Value, json};

/// A rendered mail. The mailer looks up its recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    pub subject: String,
    pub text: String,
    pub html: String,
    pub unsubscribe_url: String,
}

impl Mail {
    /// Renders a greeting, `blocks` and the link to unsubscribe.
    #[must_use]
    pub fn of(subject: String, reader: &Reader, blocks: Vec<Block>, links: &Links) -> Self {
        let greeting = match reader.name.as_deref().map(one_line) {
            Some(name) if !name.is_empty() => format!("Hello {name},"),
            _ => "Hello,".to_owned(),
        };
        let unsubscribe_url = links.unsubscribe();
        let last = LabelledUrl { label: "Unsubscribe", url: unsubscribe_url.clone() };
        let mut all = vec![Block::Text(greeting)];
        all.extend(blocks);
        all.push(Block::Links(vec![last]));
        // Writing to a string cannot fail.
        let text = Text { blocks: &all }.render().unwrap_or_default();
        let html = Html { subject: &subject, blocks: &all }.render().unwrap_or_default();
        Self { text, html, subject, unsubscribe_url }
    }

    /// The form that the database stores.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "subject": self.subject, "text": self.text, "html": self.html,
            "unsubscribe_url": self.unsubscribe_url,
        })
    }
}

/// A part of a mail.
pub enum Block {
    /// One or more lines.
    Text(String),
    Title(String),
    /// A heading and its items.
    List(String, Vec<Item>),
    Links(Vec<LabelledUrl>),
}

pub struct Item {
    pub text: String,
    pub link: Option<String>,
}

pub struct LabelledUrl {
    pub label: &'static str,
    pub url: String,
}

/// The current account of the recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reader {
    pub user_id: i64,
    pub name: Option<String>,
    pub time_zone: String,
    pub wants_mail: bool,
    pub email_verified: bool,
}

impl Reader {
    /// Whether the user may be sent mail. With `verified_only`, only at a verified address.
    #[must_use]
    pub const fn is_reachable(&self, verified_only: bool) -> bool {
        self.wants_mail && (self.email_verified || !verified_only)
    }
}

/// Makes the links of one user's mail.
pub struct Links<'a> {
    pub public_url: &'a str,
    pub key: &'a HmacKey,
    pub user_id: i64,
    pub now: Instant,
}

impl Links<'_> {
    /// A link that changes something when its button is pressed.
    #[must_use]
    pub fn act(&self, purpose: Purpose, subject_id: i64, firing: i64, lifetime_s: i64) -> String {
        let link = Link {
            purpose,
            user_id: self.user_id,
            subject_id,
            firing,
            expires_at_s: self.now.as_second().saturating_add(lifetime_s),
        };
        link.url(self.public_url, self.key)
    }

    /// The task on the web page, which requires a login.
    #[must_use]
    pub fn open(&self, task_id: i64) -> String {
        format!("{}/#/tasks/{task_id}", self.public_url)
    }

    fn unsubscribe(&self) -> String {
        self.act(Purpose::Unsubscribe, 0, 0, UNSUBSCRIBE_LINK_LIFETIME_S)
    }
}

#[derive(Template)]
#[template(path = "mail.txt", escape = "none")]
struct Text<'a> {
    blocks: &'a [Block],
}

#[derive(Template)]
#[template(path = "mail.html")]
struct Html<'a> {
    subject: &'a str,
    blocks: &'a [Block],
}

/// Replaces each run of white space and control characters, line breaks included, with one space.
#[must_use]
pub fn one_line(text: &str) -> String {
    let breaks = |character: char| {
        character.is_whitespace()
            || character.is_control()
            || matches!(character, '\u{2028}' | '\u{2029}')
    };
    text.split(breaks).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}
