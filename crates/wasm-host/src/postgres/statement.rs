//! Decides whether a statement can leave state in its session.

/// The commands that leave no session state outside of a transaction.
const PLAIN_COMMANDS: [&str; 7] =
    ["SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "VALUES", "WITH"];

/// Words by which such commands leave state nevertheless: settings (also by an UPDATE of `pg_settings`), the
/// seed of `random()`, temporary tables by SELECT INTO.
const DIRTYING_WORDS: [&str; 6] =
    ["set_config", "pg_settings", "setseed", "temp", "temporary", "pg_temp"];

/// Prefixes of such words: session locks, functions that execute SQL from text, connections of dblink.
const DIRTYING_PREFIXES: [&str; 7] = [
    "pg_advisory_",
    "pg_try_advisory_",
    "query_to_xml",
    "cursor_to_xml",
    "ts_stat",
    "ts_rewrite",
    "dblink",
];

/// Part of the names of advisory locks that end with their transaction.
const XACT: &[u8] = b"_xact_";

/// Whether a session is clean after this statement.
///
/// A wrong `false` only costs time: the session is not reused. The bodies of database functions are not
/// examined; Rondo's set nothing beyond their transaction (`SET LOCAL`, a function's own `SET` clause,
/// `pg_advisory_xact_lock`).
pub(crate) fn leaves_no_trace(statement: &str) -> bool {
    let command = after_comments(statement);
    let end = command.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(command.len());
    let is_plain = PLAIN_COMMANDS.iter().any(|plain| command[..end].eq_ignore_ascii_case(plain));
    is_plain && words(statement).all(|word| !dirties(word))
}

/// Called for each word of each statement; the first letter excludes most of them.
fn dirties(word: &[u8]) -> bool {
    let is_like = |known: &&&str| word[0].eq_ignore_ascii_case(&known.as_bytes()[0]);
    let begins = |lead: &&str| {
        word.get(..lead.len()).is_some_and(|start| start.eq_ignore_ascii_case(lead.as_bytes()))
    };
    let is_of_transaction = || word.windows(XACT.len()).any(|part| part.eq_ignore_ascii_case(XACT));
    DIRTYING_WORDS.iter().filter(is_like).any(|known| word.eq_ignore_ascii_case(known.as_bytes()))
        || DIRTYING_PREFIXES.iter().filter(is_like).any(begins) && !is_of_transaction()
        // U&"…" could spell any of these with escapes.
        || word.len() >= 2 && word[word.len() - 2..].eq_ignore_ascii_case(b"u&")
}

/// Words in the sense of identifiers, including those in strings and comments. Bytes, because decoding
/// characters took longer than everything else.
fn words(statement: &str) -> impl Iterator<Item = &[u8]> {
    let is_apart = |byte: &u8| !(byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'&'));
    statement.as_bytes().split(is_apart).filter(|word| !word.is_empty())
}

/// The statement from its first word on, after comments.
fn after_comments(mut statement: &str) -> &str {
    loop {
        statement = statement.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '(');
        let rest = if let Some(line) = statement.strip_prefix("--") {
            line.split_once('\n').map(|(_, rest)| rest)
        } else if let Some(block) = statement.strip_prefix("/*") {
            // Nested comments end too early here; then no known command follows.
            block.split_once("*/").map(|(_, rest)| rest)
        } else {
            return statement;
        };
        statement = rest.unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_statements_leave_no_trace() {
        for statement in [
            "SELECT 1",
            "  select * from f($1)",
            "-- why\n/* what */ (SELECT 1) UNION (SELECT 2)",
            "WITH a AS (INSERT INTO t VALUES (1) RETURNING *) SELECT * FROM a",
            "INSERT INTO temperatures VALUES (1)",
            "SELECT pg_advisory_xact_lock(1), pg_try_advisory_xact_lock_shared(2)",
            "UPDATE t SET a = 1",
            "DELETE FROM t WHERE a & 1 = 0",
            "VALUES (1)",
            "SELECT 'étemperature', 'ünset_config', 'İ' AS \"straße\"",
        ] {
            assert!(leaves_no_trace(statement), "{statement}");
        }
    }

    #[test]
    fn statements_that_can_leave_a_trace_are_detected() {
        for statement in [
            "",
            "BEGIN",
            "COMMIT",
            "SET search_path = x",
            "selection",
            "-- SELECT 1",
            "/* /* */ */ SELECT 1",
            "SELECT set_config('a.b', 'c', false)",
            "SELECT \"Set_Config\"('a.b', 'c', false)",
            "SELECT U&\"set\\005fconfig\"('a.b', 'c', false)",
            "SELECT 1 & 1&U&\"set\\005fconfig\"('a.b', 'c', false)",
            "UPDATE pg_settings SET setting = 'x' WHERE name = 'search_path'",
            "SELECT query_to_xml('SELECT set' || '_config(''a.b'', ''c'', false)', true, true, '')",
            "SELECT 'é'||set_config('a.b', 'ß', false)",
            "SELECT pg_advisory_lock(1)",
            "SELECT PG_TRY_ADVISORY_LOCK_SHARED(1)",
            "SELECT 1 INTO TEMP t",
            "SELECT 1 AS a INTO pg_temp.t",
            "SELECT setseed(0)",
            "CREATE TEMP TABLE t (a int)",
            "DO $$ BEGIN END $$",
            "CALL p()",
            "LISTEN a",
            "PREPARE p AS SELECT 1",
            "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
        ] {
            assert!(!leaves_no_trace(statement), "{statement}");
        }
    }
}
