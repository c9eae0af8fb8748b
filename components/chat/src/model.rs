//! The language model that the operator has set up, behind HTTP.

use rondo_chat::model::{Budget, Provider, Refused};
use rondo_guest::http::Request;
use rondo_guest::outgoing::Outgoing;
use rondo_guest::{Refusal, variable};
use serde_json::Value;

use crate::store::Store;

/// Variables: the server's origin, the path before `/chat/completions`, the model's name there (empty: no model), the key,
/// and how many tokens a user may use on a day.
const ORIGIN_VARIABLE: &str = "llm_origin";
const PATH_VARIABLE: &str = "llm_path";
const NAME_VARIABLE: &str = "llm_model";
const KEY_VARIABLE: &str = "llm_api_key";
const TOKENS_VARIABLE: &str = "llm_tokens_per_day";

/// What the path of a request ends with.
const COMPLETIONS: &str = "/chat/completions";

/// A model behind Chat Completions.
pub struct Model {
    pub name: String,
    url: String,
    key: String,
    tokens_per_day: i64,
}

/// The model, if there is one.
///
/// # Errors
/// 500 if a variable is malformed.
pub fn configured() -> Result<Option<Model>, Refusal> {
    let name = variable::get(NAME_VARIABLE)?;
    if name.is_empty() {
        return Ok(None);
    }
    let origin = variable::get(ORIGIN_VARIABLE)?;
    let path = variable::get(PATH_VARIABLE)?;
    let path = path.trim_end_matches('/').trim_end_matches(COMPLETIONS);
    let tokens = variable::get(TOKENS_VARIABLE)?;
    let tokens_per_day = tokens
        .parse()
        .map_err(|_| Refusal::internal(format!("variable {TOKENS_VARIABLE}: not a number")))?;
    Ok(Some(Model {
        name,
        url: format!("{}{path}{COMPLETIONS}", origin.trim_end_matches('/')),
        key: variable::get(KEY_VARIABLE)?,
        tokens_per_day,
    }))
}

impl Model {
    pub fn budget<'a>(&self, store: &'a Store, user: i64) -> DayBudget<'a> {
        DayBudget { store, user, max: self.tokens_per_day }
    }
}

/// The model's server, asked in a turn whose log has what goes wrong.
pub struct Server<'a> {
    pub model: &'a Model,
    pub request: &'a Request,
}

impl Provider for Server<'_> {
    fn ask(&self, request: &Value, part: &mut dyn FnMut(&[u8]) -> bool) -> Result<(), Refused> {
        let mut outgoing = Outgoing::post(&self.model.url)
            .header("content-type", "application/json")
            .header("accept", "text/event-stream, application/json");
        if !self.model.key.is_empty() {
            outgoing = outgoing.header("authorization", format!("Bearer {}", self.model.key));
        }
        let broken = |_| Refused::Broken;
        let mut answer = outgoing.body(request.to_string()).send().map_err(broken)?;
        if answer.status >= 300 {
            // The host logs what comes to no answer. The body may repeat the key.
            let status = answer.status;
            self.request.log_error(&format!("the language model's server answered {status}"));
            return Err(Refused::Status(answer.status));
        }
        while let Some(bytes) = answer.next().map_err(broken)? {
            if !part(&bytes) {
                return Err(Refused::Broken);
            }
        }
        Ok(())
    }
}

/// The tokens of a user's day.
pub struct DayBudget<'a> {
    store: &'a Store,
    user: i64,
    max: i64,
}

impl Budget for DayBudget<'_> {
    fn take(&self, tokens: i64) -> bool {
        let taken = self.store.spend(self.user, tokens, Some(self.max));
        // The provider is asked next, which can take a minute.
        self.store.release();
        // Without the database nothing is spent.
        taken.unwrap_or(false)
    }

    fn give_back(&self, tokens: i64) {
        // Without the database the day has fewer tokens than it could.
        let _ = self.store.spend(self.user, -tokens, None);
        self.store.release();
    }
}
