//! What a statement is called in a trace: never with its text, its literals or its parameters.

use rondo_telemetry::Span;

/// Words before the name of what a statement works on.
const BEFORE_NAMES: [&str; 4] = ["FROM", "JOIN", "INTO", "UPDATE"];
/// Those of them after which a name can be a function's.
const BEFORE_ROWS: [&str; 2] = ["FROM", "JOIN"];
/// What a statement with common table expressions begins with after them, or in the first.
const COMMANDS: [&str; 5] = ["SELECT", "INSERT", "UPDATE", "DELETE", "MERGE"];
/// The word that may stand between.
const LATERAL: &str = "LATERAL";

/// The first table or function that a statement names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Summary<'a> {
    operation: &'a str,
    name: Option<&'a str>,
    is_function: bool,
}

impl<'a> Summary<'a> {
    pub(crate) fn of(statement: &'a str) -> Self {
        let mut tokens = Tokens(statement).peekable();
        let is_word = |token: &&str| token.as_bytes()[0].is_ascii_alphabetic();
        let mut operation = tokens.find(is_word).unwrap_or_default();
        let had_expressions = operation.eq_ignore_ascii_case("WITH");
        if had_expressions {
            operation = tokens.find(|token| is_one_of(token, &COMMANDS)).unwrap_or(operation);
        }
        // Behind common table expressions are only their names: the first one says more.
        let is_flat = !had_expressions;
        let mut found: Option<(usize, &str, bool)> = None;
        let (mut depth, mut before, mut called) = (0_usize, operation, None);
        while let Some(token) = tokens.next() {
            let is_called = tokens.peek() == Some(&"(");
            let is_named = is_one_of(before, &BEFORE_NAMES) && is_word(&token);
            match token {
                "(" => depth += 1,
                ")" => depth = depth.saturating_sub(1),
                _ if token.eq_ignore_ascii_case(LATERAL) => continue,
                _ if is_named => {
                    let is_function = is_called && is_one_of(before, &BEFORE_ROWS);
                    if found.is_none_or(|(above, ..)| is_flat && depth < above) {
                        found = Some((depth, token, is_function));
                    }
                }
                _ if is_called && is_word(&token) && !is_one_of(token, &BEFORE_NAMES) => {
                    called = called.or(Some(token));
                }
                _ => {}
            }
            before = token;
        }
        match found {
            Some((_, name, is_function)) => Self { operation, name: Some(name), is_function },
            // One like SELECT f($1).
            None => Self { operation, name: called, is_function: called.is_some() },
        }
    }

    /// Name of the span (semantic conventions for database spans, "Name").
    pub(crate) fn text(&self) -> String {
        match self.name {
            Some(name) if self.is_function => name.to_owned(),
            Some(name) => format!("{} {name}", self.operation),
            None => self.operation.to_owned(),
        }
    }

    pub(crate) fn describe(&self, span: &mut Span) {
        span.text("db.system.name", "postgresql");
        span.text("db.query.summary", self.text());
        span.text("db.operation.name", self.operation);
        if let Some(name) = self.name {
            let key =
                if self.is_function { "db.stored_procedure.name" } else { "db.collection.name" };
            span.text(key, name);
        }
    }
}

fn is_one_of(token: &str, words: &[&str]) -> bool {
    words.iter().any(|word| token.eq_ignore_ascii_case(word))
}

/// Words and single other characters, without comments, space, and strings in quotes.
struct Tokens<'a>(&'a str);

impl<'a> Iterator for Tokens<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        loop {
            let text = self.0.trim_start();
            let first = text.chars().next()?;
            let (token, rest) = if let Some(line) = text.strip_prefix("--") {
                self.0 = line.split_once('\n').map_or("", |(_, rest)| rest);
                continue;
            } else if let Some(block) = text.strip_prefix("/*") {
                self.0 = block.split_once("*/").map_or("", |(_, rest)| rest);
                continue;
            } else if let Some(literal) = text.strip_prefix('\'') {
                self.0 = literal.split_once('\'').map_or("", |(_, rest)| rest);
                continue;
            } else if first.is_ascii_alphabetic() || first == '_' {
                let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
                text.split_at(text.find(|c| !is_part(c)).unwrap_or(text.len()))
            } else {
                text.split_at(first.len_utf8())
            };
            self.0 = rest;
            return Some(token);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_called_by_its_function_or_table() {
        for (statement, expected) in [
            ("-- $1 user FROM x\nSELECT outcome\nFROM task_create($1::int8, $2)", "task_create"),
            (
                "SELECT t.scope FROM (SELECT 1) AS one LEFT JOIN token_use($1) t ON true",
                "token_use",
            ),
            ("SELECT a FROM (SELECT 1) AS one LEFT JOIN users u ON u.id = $1", "SELECT users"),
            ("SELECT a FROM x, LATERAL f(x)", "SELECT x"),
            ("SELECT a FROM (SELECT 1) JOIN LATERAL f(1) ON true", "f"),
            ("SELECT '[' || coalesce((SELECT u.zone FROM users u), 'FROM') AS z", "SELECT users"),
            (
                "SELECT t.a, (SELECT b FROM reminders r) AS b FROM (SELECT 1) AS one \
                 LEFT JOIN tasks t ON true",
                "SELECT tasks",
            ),
            ("WITH page AS (SELECT * FROM tasks t) SELECT * FROM page", "SELECT tasks"),
            ("insert into audit_logs (id) SELECT * FROM unnest($1)", "insert audit_logs"),
            ("UPDATE public.tags SET name = 'FROM secret'", "UPDATE public.tags"),
            ("DELETE FROM tags WHERE name = $1", "DELETE tags"),
            ("SELECT to_regclass('public.tasks') IS NOT NULL", "to_regclass"),
            ("SELECT 1", "SELECT"),
            ("SELECT 'hunter2'", "SELECT"),
            ("/* x", ""),
            ("", ""),
        ] {
            assert_eq!(Summary::of(statement).text(), expected, "{statement}");
        }
    }
}
