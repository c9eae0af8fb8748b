//! `POST …/tasks/batch`: several changes in one request, each by the route of one task.

use rondo_contract::batch_body::{self, Batch, Operation, Verb};
use rondo_contract::undo_token::UndoToken;
use rondo_guest::database::{int, text};
use rondo_guest::http::{Method, Request, Response};
use rondo_guest::page::parameters;
use rondo_guest::{Refusal, body};
use sha2::{Digest as _, Sha256};

use crate::etag;
use crate::idempotency::{self, Key};
use crate::store::{Store, key_parameters};
use crate::undo_token;

pub fn answer(request: &Request, user: i64) -> Result<Response, Refusal> {
    parameters(request).finish()?;
    let members = body::object(request)?;
    let batch = batch_body::parse(&members)?;
    let key = Key::of(request, &members)?;
    let run = Run { request, user, batch, key, store: Store::open()? };
    if !run.batch.atomic {
        return run.each();
    }
    run.store.0.execute("BEGIN", &[])?;
    let outcome = run.all();
    let end = if outcome.is_ok() { "COMMIT" } else { "ROLLBACK" };
    // The host ends the transaction of a connection that fails here.
    match (run.store.0.execute(end, &[]), outcome) {
        (Err(error), Ok(_)) => Err(error.into()),
        (_, outcome) => outcome,
    }
}

struct Run<'a> {
    request: &'a Request,
    user: i64,
    batch: Batch,
    key: Option<Key>,
    store: Store,
}

impl Run<'_> {
    /// All operations in the transaction that has begun; the first refusal ends them.
    fn all(&self) -> Result<Response, Refusal> {
        if let Some(kept) = self.begin()? {
            return Ok(kept);
        }
        let mut results = Vec::with_capacity(self.batch.operations.len());
        let mut tokens = Vec::new();
        for (index, operation) in self.batch.operations.iter().enumerate() {
            let pointer = format!("/operations/{index}{}", operation.pointer());
            let done = self.operate(index, operation).map_err(|refusal| refusal.under(&pointer))?;
            results.push(of_response(&done));
            tokens.extend(undo_token::of(&done));
        }
        self.end(&results, tokens)
    }

    /// Each operation for itself.
    fn each(&self) -> Result<Response, Refusal> {
        if let Some(kept) = self.begin()? {
            return Ok(kept);
        }
        let mut results = Vec::with_capacity(self.batch.operations.len());
        let mut tokens = Vec::new();
        for (index, operation) in self.batch.operations.iter().enumerate() {
            match self.operate(index, operation) {
                Ok(done) => {
                    results.push(of_response(&done));
                    tokens.extend(undo_token::of(&done));
                }
                // The client repeats the whole, with its key.
                Err(refusal) if refusal.is_internal() => return Err(refusal),
                Err(refusal) => {
                    let (status, problem) =
                        refusal.under(operation.pointer()).into_json(&self.request.request_id);
                    results.push(format!(r#"{{"status":{status},"problem":{problem}}}"#));
                }
            }
        }
        self.end(&results, tokens)
    }

    /// The kept response of the key, if it has one. Otherwise the user's changes wait for the transaction, if there is
    /// one.
    fn begin(&self) -> Result<Option<Response>, Refusal> {
        let [path, name, hash] = key_parameters(self.key.as_ref());
        let values = [int(self.user), path, name, hash];
        let mut row = self.store.0.query_one(include_str!("sql/batch_begin.sql"), &values)?;
        match row.optional_text("outcome")?.as_deref() {
            None => Ok(None),
            Some("replayed") => {
                Ok(Some(idempotency::mark(Response::json(200, row.text("answer")?))))
            }
            Some("key_reused") => Err(idempotency::reused()),
            Some(_) => Err(Refusal::unauthenticated()),
        }
    }

    fn operate(&self, index: usize, operation: &Operation) -> Result<Response, Refusal> {
        let (method, action) = match operation.verb {
            Verb::Create => (Method::Post, ""),
            Verb::Patch => (Method::Patch, ""),
            Verb::Complete => (Method::Post, "complete"),
            Verb::Reopen => (Method::Post, "reopen"),
            Verb::Move => (Method::Post, "move"),
            Verb::Delete => (Method::Delete, ""),
        };
        let id = operation.id.map(|id| id.to_string());
        let segments: Vec<&str> = id
            .as_deref()
            .into_iter()
            .chain(Some(action).filter(|action| !action.is_empty()))
            .collect();
        let scope = operation.scope.map(|scope| format!("scope={}", scope.as_str()));
        let subtasks = operation.subtasks.map(|fate| format!("subtasks={}", fate.as_str()));
        let query: Vec<String> = scope.into_iter().chain(subtasks).collect();
        let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
        let mut headers = vec![("content-type", "application/json".to_owned())];
        if let Some(revision) = operation.revision {
            headers.push(("if-match", etag::of(revision)));
        }
        if let Some(key) = self.key.as_ref().filter(|_| !self.batch.atomic) {
            // What was done before the connection broke is not done again.
            let own = format!("{}/{index}", key.key.as_str());
            headers.push(("idempotency-key", format!("{:x}", Sha256::digest(own))));
        }
        let path = segments.iter().map(|segment| format!("/{segment}")).collect::<String>();
        let target = format!("/api/{}/tasks{path}{query}", self.user);
        let body = operation.body.as_ref().map(|body| body.to_string().into_bytes());
        let part = self.request.part(method, target, &headers, body.unwrap_or_default());
        self.store.share(|| crate::tasks(&part, self.user, &segments))
    }

    /// The response, which is kept for the key.
    fn end(&self, results: &[String], tokens: Vec<UndoToken>) -> Result<Response, Refusal> {
        let answer = format!(r#"{{"results":[{}]}}"#, results.join(","));
        if self.key.is_some() {
            let [path, name, hash] = key_parameters(self.key.as_ref());
            let values = [int(self.user), path, name, hash, text(answer.as_str())];
            self.store.0.query_one(include_str!("sql/batch_keep.sql"), &values)?;
        }
        Ok(undo_token::with(Response::json(200, answer), UndoToken::joined(tokens)))
    }
}

/// A result of an operation that was done.
fn of_response(done: &Response) -> String {
    let status = done.status;
    match std::str::from_utf8(done.body()) {
        Ok(task) if !task.is_empty() => format!(r#"{{"status":{status},"task":{task}}}"#),
        _ => format!(r#"{{"status":{status}}}"#),
    }
}
