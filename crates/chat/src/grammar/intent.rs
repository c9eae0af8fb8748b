//! What a message wants, by the templates of one language.

use std::ops::Range;

use super::date::{Clock, Days, When};
use super::query::{INBOX, Query};
use super::target::Target;
use super::template::{Places, fits};
use super::text::{Text, folded, unquoted};
use super::words::{Kind, Words};

/// Bullets before the lines of a list.
const BULLETS: &[&str] = &["- [ ] ", "* [ ] ", "[ ] ", "- ", "* ", "• ", "– ", "— ", "+ "];
/// Maximum number of ways to divide a message into tasks and what to do with them.
const WAYS_MAX: usize = 16;
/// Number of first words among which a filler may stand.
const FILLER_WORDS_MAX: usize = 4;

/// What a message wants.
#[derive(Debug, Clone, PartialEq)]
pub enum Intent {
    Add {
        lines: Vec<String>,
        is_reminded: bool,
    },
    List(Query),
    Search(String),
    /// Something with tasks: all ways to read the message, the likeliest first.
    Act(Vec<(Target, Action)>),
    Events(Days),
    /// Undo, help and the like.
    Simple(Kind),
}

/// What to do with tasks.
#[derive(Debug, Clone, PartialEq)]
pub struct Action {
    pub kind: Kind,
    /// The date, the new title, the priority and so on.
    pub text: String,
}

impl Action {
    pub fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }
}

/// Understands a message in one language. None if it is none of the known ones.
pub fn understand(clock: &Clock<'_>, message: &str) -> Option<Intent> {
    if let Some(lines) = several(clock, message) {
        return Some(Intent::Add { lines, is_reminded: false });
    }
    let whole = Text::new(message);
    // Courtesy alone is a message, too.
    if let Some(kind) = simple(clock, &whole) {
        return Some(Intent::Simple(kind));
    }
    let request = request(clock.words, message);
    let stripped = Text::new(&request);
    let was_polite = stripped.len() < whole.len();
    let text = if stripped.len() == 0 { &whole } else { &stripped };
    if let Some(query) = Query::question(clock, text) {
        return Some(Intent::List(query));
    }
    // "Is X done?" asks; "can you finish X?" does not.
    let asks = message.trim_end().ends_with('?') && !was_polite
        || clock.words.questions.contains(&text.word(0));
    for (kind, templates) in clock.words.templates {
        if asks && changes(*kind) {
            continue;
        }
        let mut ways = Vec::new();
        for template in *templates {
            for places in fits(template, text) {
                match read(clock, *kind, text, &places) {
                    Some(Intent::Act(more)) => ways.extend(more),
                    Some(intent) => return Some(intent),
                    None => {}
                }
            }
        }
        if !ways.is_empty() {
            ways.truncate(WAYS_MAX);
            return Some(Intent::Act(ways));
        }
    }
    None
}

/// Whether a message says yes, no and the like, and nothing else.
pub fn says(clock: &Clock<'_>, message: &str, kind: Kind) -> bool {
    let request = request(clock.words, message);
    [message, &request].iter().any(|text| simple(clock, &Text::new(text)) == Some(kind))
}

/// The kind of a message that says nothing but its kind.
fn simple(clock: &Clock<'_>, text: &Text<'_>) -> Option<Kind> {
    let mut rows = clock.words.templates.iter().filter(|(kind, _)| is_simple(*kind));
    let found = rows
        .find(|(_, templates)| templates.iter().any(|template| !fits(template, text).is_empty()));
    found.map(|(kind, _)| *kind)
}

/// Whether a message of this kind says nothing but its kind.
const fn is_simple(kind: Kind) -> bool {
    matches!(kind, Kind::Undo | Kind::Help | Kind::Greet | Kind::Thank | Kind::Yes | Kind::No)
}

/// Whether a message of this kind changes something.
const fn changes(kind: Kind) -> bool {
    !matches!(
        kind,
        Kind::Due
            | Kind::Next
            | Kind::History
            | Kind::Show
            | Kind::Events
            | Kind::Completed
            | Kind::Search
            | Kind::Help
            | Kind::Greet
            | Kind::Thank
    )
}

/// A message without "please", "can you" and the question mark that goes with it.
pub fn request(words: &Words, message: &str) -> String {
    let text = Text::new(message.trim_end_matches(['?', ' ']));
    let mut start = 0;
    while let Some((_, end)) = text.longest(start, words.polite.iter().copied()) {
        start = end;
    }
    let mut end = text.len();
    while end > start + 1 && words.polite.contains(&text.word(end - 1)) {
        end -= 1;
    }
    let filler = (start + 1..end.min(start + FILLER_WORDS_MAX))
        .find(|at| words.fillers.contains(&text.word(*at)));
    match filler {
        Some(at) => format!("{} {}", text.slice(start..at), text.slice(at + 1..end)),
        None => text.slice(start..end).to_owned(),
    }
}

/// Tasks in lines of their own, behind a first line that says so.
fn several(clock: &Clock<'_>, message: &str) -> Option<Vec<String>> {
    let mut lines = message.lines().filter(|line| !line.trim().is_empty());
    let first = lines.next()?;
    let rest: Vec<_> = lines.map(|line| unbulleted(line).to_owned()).collect();
    let rest: Vec<_> = rest.into_iter().filter(|line| !line.is_empty()).collect();
    if rest.is_empty() {
        return None;
    }
    let first = request(clock.words, first);
    let text = Text::new(&first);
    if text.is_any(clock.words.several) {
        return Some(rest);
    }
    let adds = clock.words.templates.iter().filter(|(kind, _)| *kind == Kind::Add);
    let adds = adds.flat_map(|(_, templates)| templates.iter());
    let first = adds.flat_map(|template| fits(template, &text)).find_map(|places| {
        let (_, words) = places.into_iter().next()?;
        Some(text.slice(words).to_owned())
    })?;
    Some([vec![first], rest].concat())
}

/// A line without its bullet or number.
fn unbulleted(line: &str) -> &str {
    let line = line.trim();
    if let Some(rest) = BULLETS.iter().find_map(|bullet| line.strip_prefix(bullet)) {
        return rest.trim();
    }
    let digits = line.trim_start_matches(|character: char| character.is_ascii_digit());
    let is_numbered = digits.len() < line.len() && line.len() - digits.len() <= 2;
    match digits.strip_prefix(". ").or_else(|| digits.strip_prefix(") ")) {
        Some(rest) if is_numbered => rest.trim(),
        _ => line,
    }
}

/// What a template means whose places hold these words.
fn read(clock: &Clock<'_>, kind: Kind, text: &Text<'_>, places: &Places<'_>) -> Option<Intent> {
    let place = |name: &str| places.iter().find(|(place, _)| *place == name).map(|(_, at)| at);
    let given = |name: &str| place(name).map(|words| text.slice(words.clone()));
    let one = |target: &str, action: Action| {
        Some(Intent::Act(vec![(Target::parse(clock, target), action)]))
    };
    match kind {
        Kind::Add | Kind::AddReminded => {
            let mut line = match given("infinitive") {
                Some(words) => finite(clock, words),
                None => match given("verb") {
                    // Without "daran", only the verb shows that there is something to do.
                    Some(words) => Some(finite(clock, words)).filter(|line| line != words)?,
                    None => given("text")?.to_owned(),
                },
            };
            if let Some(when) = given("when") {
                clock.due(when)?;
                line = format!("{line} {when}");
            }
            Some(Intent::Add { lines: vec![line], is_reminded: kind == Kind::AddReminded })
        }
        Kind::Search => Some(Intent::Search(given("text")?.to_owned())),
        Kind::Events => Some(Intent::Events(period(clock, given("period")?)?)),
        Kind::Completed => {
            let days = match given("period") {
                Some(words) => Some(period(clock, words)?),
                None => None,
            };
            Some(Intent::List(Query::completed(days)))
        }
        kind if is_simple(kind) => Some(Intent::Simple(kind)),
        Kind::Move | Kind::Remind | Kind::Repeat if place("rest").is_some() => {
            let ways = divided(clock, kind, text, place("rest")?.clone());
            (!ways.is_empty()).then_some(Intent::Act(ways))
        }
        Kind::Move => {
            let when = given("when").unwrap_or_default();
            if !when.is_empty() {
                clock.due(when)?;
            }
            one(given("task")?, Action::new(kind, when))
        }
        Kind::Remind => {
            let when = given("when").or(given("length"))?;
            let found = clock.reminder(when, None)?;
            if place("length").is_some() && !matches!(found, When::Before(_)) {
                return None;
            }
            let action = Action::new(kind, when);
            match given("task") {
                Some(task) => one(task, action),
                None => Some(Intent::Act(vec![(Target::This, action)])),
            }
        }
        Kind::Repeat => {
            let rule = given("rule").unwrap_or_default();
            if !rule.is_empty() {
                clock.repetition(rule)?;
            }
            one(given("task")?, Action::new(kind, rule))
        }
        // Other words are searched for.
        Kind::Show => {
            let target = Target::parse(clock, given("task").or(given("number"))?);
            let is_number = matches!(target, Target::Task(_) | Target::Shown(_));
            let is_named = matches!(target, Target::Named(_) | Target::Each(_));
            let is_shown = if place("number").is_some() { is_number } else { !is_named };
            is_shown.then(|| Intent::Act(vec![(target, Action::new(kind, ""))]))
        }
        Kind::Rank => {
            let name = Text::new(given("priority")?);
            let ranks = clock.words.ranks.iter();
            let (_, rank) = ranks.clone().find(|(phrase, _)| name.is_any(&[phrase]))?;
            one(given("task")?, Action::new(kind, rank.map_or("none", |rank| rank.as_str())))
        }
        Kind::Tag | Kind::Untag => {
            let is_marked = |tag: &str| tag.starts_with('#') || tag.starts_with('@');
            if given("marks").is_some_and(|marks| !marks.split_whitespace().all(is_marked)) {
                return None;
            }
            let tags: Vec<_> = given("tags")
                .or(given("marks"))?
                .split_whitespace()
                .map(|tag| tag.trim_matches(['#', '@', ',', '.', '"', '“', '”', '„']))
                .filter(|tag| !tag.is_empty() && !clock.words.target.and.contains(&&*folded(tag)))
                .collect();
            one(given("task")?, Action::new(kind, tags.join(" ")))
        }
        Kind::Rename | Kind::File => {
            let name = given("text")?;
            let name = unquoted(name).unwrap_or(name).trim_end_matches(['.', '?']);
            let is_inbox = kind == Kind::File && {
                let text = Text::new(name);
                let articles = clock.words.target.articles;
                let at = usize::from(text.len() > 1 && articles.contains(&text.word(0)));
                clock.words.list.inbox.contains(&text.word(at)) && text.len() == at + 1
            };
            one(given("task")?, Action::new(kind, if is_inbox { INBOX } else { name }))
        }
        _ => one(given("task")?, Action::new(kind, "")),
    }
}

/// All ways to divide words into the name of a task and a date, a repetition or the moment of a reminder.
fn divided(
    clock: &Clock<'_>,
    kind: Kind,
    text: &Text<'_>,
    words: Range<usize>,
) -> Vec<(Target, Action)> {
    let ending = |at: usize| text.slice(at..words.end);
    let mut ways = Vec::new();
    // "Log in on friday" may be about logging, or about logging in.
    let mut add = |end: usize, action: Action| {
        let bare = clock.unjoined(text, words.start..end);
        for name in
            [bare.clone(), words.start..end].into_iter().take(1 + usize::from(bare.end < end))
        {
            ways.push((Target::parse(clock, text.slice(name)), action.clone()));
        }
    };
    let endings = |is_kind: &dyn Fn(&str) -> bool| clock.endings(text, words.clone(), is_kind);
    match kind {
        Kind::Repeat => {
            for at in endings(&|phrase| clock.repetition(phrase).is_some()) {
                add(at, Action::new(kind, ending(at)));
            }
        }
        Kind::Remind => {
            for at in endings(&|phrase| clock.reminder(phrase, None).is_some()) {
                add(at, Action::new(kind, ending(at)));
            }
            add(words.end, Action::new(kind, ""));
        }
        _ => {
            for (end, length) in later(clock, text, words.clone()) {
                add(end, Action::new(Kind::Shift, length));
            }
            let by = clock.words.date.by;
            for at in endings(&|phrase| clock.is_length(phrase)) {
                if by.contains(&text.word(at - 1)) && at - 1 > words.start {
                    add(at - 1, Action::new(Kind::Shift, ending(at)));
                }
            }
            for at in endings(&|phrase| clock.due(phrase).is_some()) {
                add(at, Action::new(kind, ending(at)));
                let name = clock.unjoined(text, words.start..at);
                if let Some(end) = before_from(clock, text, name) {
                    add(end, Action::new(kind, ending(at)));
                }
            }
        }
    }
    ways
}

/// "The dentist two days later": where the names end, and the lengths of time.
fn later<'m>(clock: &Clock<'_>, text: &Text<'m>, words: Range<usize>) -> Vec<(usize, &'m str)> {
    let ends = |at: &usize| {
        let later = text.longest(*at, clock.words.date.later.iter().copied());
        later.is_some_and(|(_, end)| end == words.end)
    };
    let Some(end) = words.clone().find(ends) else { return Vec::new() };
    let lengths = clock.endings(text, words.start..end, |phrase| clock.is_length(phrase));
    lengths.into_iter().map(|at| (at, text.slice(at..end))).collect()
}

/// Where a name ends behind which the date follows that a task has had: "the dentist from friday".
fn before_from(clock: &Clock<'_>, text: &Text<'_>, name: Range<usize>) -> Option<usize> {
    let from = clock.words.date.from;
    (name.start + 1..name.end).find(|at| {
        from.contains(&text.word(*at)) && clock.due(text.slice(at + 1..name.end)).is_some()
    })
}

/// A period, if it is all of the words.
fn period(clock: &Clock<'_>, words: &str) -> Option<Days> {
    let text = Text::new(words);
    let (days, end) = clock.days(&text, 0)?;
    (end == text.len()).then_some(days)
}

/// "Bob anzurufen" and "Milch zu kaufen" as titles: "Bob anrufen" and "Milch kaufen".
fn finite(clock: &Clock<'_>, words: &str) -> String {
    let Some(infinitive) = &clock.words.infinitive else { return words.to_owned() };
    let written: Vec<_> = words.split_whitespace().collect();
    let mut plain = Vec::with_capacity(written.len());
    for (at, word) in written.iter().enumerate() {
        let is_verb = |word: &str| {
            word.ends_with(infinitive.ending) && word.chars().next().is_some_and(char::is_lowercase)
        };
        let next = written.get(at + 1).map(|next| next.trim_end_matches(['.', ',', '?']));
        if *word == infinitive.particle && next.is_some_and(is_verb) {
            continue;
        }
        let joined = infinitive.prefixes.iter().find_map(|prefix| {
            let stem = word.strip_prefix(prefix)?.strip_prefix(infinitive.particle)?;
            let is_stem = stem.len() > infinitive.ending.len();
            (is_stem && is_verb(stem.trim_end_matches(['.', ','])))
                .then(|| format!("{prefix}{stem}"))
        });
        plain.push(joined.unwrap_or_else(|| (*word).to_owned()));
    }
    plain.join(" ")
}
