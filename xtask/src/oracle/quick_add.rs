//! What other parsers make of the lines in quick add's tables: chrono-node of days and times, recurrent of repetitions.
//!
//! A parser may differ where `xtask/oracle/quick_add` says why. Any other difference fails, and so does an explained
//! one that is gone.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cargo::{root, target_directory};
use crate::{node, python};

/// The program that prints the questions, an example of `crates/domain`.
pub const GENERATOR: &str = "quick_add";
/// The folder of the parsers' programs and of the explained differences.
const FOLDER: &str = "xtask/oracle/quick_add";
/// Each parser has to be asked at least so many different questions.
const QUESTIONS_MIN: usize = 400;
/// What separates both answers in a file of differences.
const BESIDE: &str = " | ";

/// Another parser.
struct Parser {
    name: &'static str,
    /// Of the questions that it is asked.
    kind: &'static str,
    /// Its file of explained differences.
    differences: &'static str,
    command: fn() -> Result<Command>,
}

const PARSERS: [Parser; 2] = [
    Parser { name: "chrono-node", kind: "when", differences: "chrono.txt", command: chrono },
    Parser { name: "recurrent", kind: "rule", differences: "recurrent.txt", command: recurrent },
];

fn chrono() -> Result<Command> {
    let mut node = node::node(&node::packages("npm-oracle", super::FOLDER)?)?;
    node.arg(root().join(FOLDER).join("chrono.cjs"));
    Ok(node)
}

fn recurrent() -> Result<Command> {
    let mut python = Command::new(python::environment("oracle", super::FOLDER)?.join("python"));
    python.arg(root().join(FOLDER).join("recurrent_rule.py"));
    Ok(python)
}

/// The present and the text of a question, as a file of differences has them.
type Question = (String, String);

/// Compares all answers. The generator has been built.
pub fn check() -> Result<()> {
    let generator = target_directory().join("release/examples").join(GENERATOR);
    let printed = Command::new(&generator)
        .output()
        .with_context(|| format!("cannot run {}", generator.display()))?;
    if !printed.status.success() {
        bail!("{}", String::from_utf8_lossy(&printed.stderr));
    }
    let questions = String::from_utf8(printed.stdout)?;
    let mut has_failed = false;
    for parser in &PARSERS {
        has_failed |= !parser.agrees(&questions)?;
    }
    if has_failed {
        bail!("answers differ from another parser's without an explanation in {FOLDER}");
    }
    Ok(())
}

impl Parser {
    /// Whether all differences are explained. Prints those that are not.
    fn agrees(&self, questions: &str) -> Result<bool> {
        let questions: Vec<&str> =
            questions.lines().filter(|line| line.split('\t').next() == Some(self.kind)).collect();
        let answers = self.answers(&questions)?;
        let mut found = BTreeMap::new();
        let mut asked = BTreeMap::new();
        for (question, answer) in questions.iter().zip(answers.lines()) {
            let fields: Vec<_> = question.split('\t').collect();
            let [_, now, zone, language, text, ours, our_words] = fields[..] else {
                bail!("unexpected question {question:?}");
            };
            let (theirs, their_words) = answer.split_once('\t').unwrap_or((answer, answer));
            let key = (format!("{now} {zone} {language}"), text.to_owned());
            if ours != theirs {
                found.insert(key.clone(), format!("{our_words}{BESIDE}{their_words}"));
            }
            if asked.insert(key, ours).is_some_and(|before| before != ours) {
                bail!("two answers to {text:?}");
            }
        }
        if asked.len() < QUESTIONS_MIN {
            bail!("{} questions for {}, at least {QUESTIONS_MIN}", asked.len(), self.name);
        }
        let path = root().join(FOLDER).join(self.differences);
        let file =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let explained =
            explained(&file).with_context(|| format!("in {FOLDER}/{}", self.differences))?;
        println!(
            "{}: {} questions, {} answers differ as explained",
            self.name,
            asked.len(),
            found.iter().filter(|(key, both)| explained.get(*key) == Some(*both)).count()
        );
        let new = found.iter().filter(|(key, both)| explained.get(*key) != Some(*both));
        let gone = explained.iter().filter(|(key, both)| found.get(*key) != Some(*both));
        let new = self.print("differs without an explanation", new);
        let gone = self.print("is explained, but does not differ so", gone);
        Ok(new + gone == 0)
    }

    /// A line for each question.
    fn answers(&self, questions: &[&str]) -> Result<String> {
        let folder = target_directory().join("oracle-questions");
        fs::create_dir_all(&folder)?;
        let input = folder.join(self.kind);
        fs::write(&input, questions.join("\n") + "\n")?;
        let mut command = (self.command)()?;
        // Both sides calculate on the wall clock, whatever the machine's zone.
        let answered = command.env("TZ", "UTC").stdin(File::open(&input)?).output()?;
        let answers = String::from_utf8(answered.stdout)?;
        if !answered.status.success() || answers.lines().count() != questions.len() {
            bail!("{} failed: {}", self.name, String::from_utf8_lossy(&answered.stderr));
        }
        Ok(answers)
    }

    /// Prints lines as a file of differences has them, and counts them.
    fn print<'a>(
        &self,
        what: &str,
        lines: impl Iterator<Item = (&'a Question, &'a String)>,
    ) -> usize {
        let mut count = 0;
        let mut last = "";
        for ((now, text), both) in lines {
            if count == 0 {
                println!("{}: {what} (text => here{BESIDE}there):", self.name);
            }
            if last != now {
                println!("now {now}");
            }
            println!("{text} => {both}");
            (last, count) = (now, count + 1);
        }
        count
    }
}

/// Reads a file of differences: a reason (`# …`), then presents (`now …`) with their questions and both answers. Every
/// reason names its own presents.
fn explained(file: &str) -> Result<BTreeMap<Question, String>> {
    let mut explained = BTreeMap::new();
    let (mut reason, mut now) = (None, None);
    for line in file.lines().filter(|line| !line.is_empty()) {
        if let Some(text) = line.strip_prefix("# ") {
            (reason, now) = (Some(text), None);
        } else if let Some(text) = line.strip_prefix("now ") {
            now = Some(text);
        } else {
            let (text, both) = line.rsplit_once(" => ").with_context(|| line.to_owned())?;
            let now = now.filter(|_| reason.is_some());
            let now = now.with_context(|| format!("no reason or present before {line:?}"))?;
            let key = (now.to_owned(), text.to_owned());
            if explained.insert(key, both.to_owned()).is_some() {
                bail!("{line:?} twice");
            }
        }
    }
    Ok(explained)
}

#[cfg(test)]
mod tests {
    use super::explained;

    #[test]
    fn a_difference_needs_a_reason() {
        let count = |file: &str| explained(file).ok().map(|explained| explained.len());
        assert_eq!(count("# why\nnow N\na => 1 | 2\n\nb => 1 | 2\nnow M\na => 1 | 2"), Some(3));
        assert_eq!(count("now N\na => 1 | 2"), None);
        assert_eq!(count("# why\na => 1 | 2"), None);
        assert_eq!(count("# why\nnow N\na => 1 | 2\n# other\nb => 1 | 2"), None);
        assert_eq!(count("# why\nnow N\na => 1 | 2\na => 1 | 2"), None);
        assert_eq!(count("# why\nnow N\na"), None);
    }
}
