//! Questions for lists of tasks: filters in any order, and what they are called in an answer.

use rondo_domain::instant;
use rondo_domain::task::{Priority, Status};
use serde_json::{Map, Value, json};

use super::date::{Clock, Days};
use super::text::Text;
use super::words::AnswerWords;

/// Number of tasks that an answer shows.
pub const SHOWN_MAX: usize = 25;
/// The list of tasks that are in no list, as tools call it.
pub const INBOX: &str = "inbox";
/// Number of tasks that come next.
const NEXT_MAX: usize = 5;
/// Maximum length of a question, in words.
const QUESTION_WORDS_MAX: usize = 30;
/// Maximum number of words of a list's name.
const LIST_WORDS_MAX: usize = 6;

/// Which tasks are meant.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Query {
    pub is_count: bool,
    pub is_next: bool,
    is_overdue: bool,
    is_undated: bool,
    is_begun: bool,
    pub is_completed: bool,
    /// Days of the due date, or of the completion.
    pub days: Option<Days>,
    priorities: Vec<Priority>,
    tags: Vec<String>,
    list: Option<String>,
}

impl Query {
    /// Completed tasks, in a period if there is one.
    pub fn completed(days: Option<Days>) -> Self {
        Self { is_completed: true, days, ..Self::default() }
    }

    /// Reads a question. None unless each of its words is understood.
    pub fn question(clock: &Clock<'_>, text: &Text<'_>) -> Option<Self> {
        let words = &clock.words.list;
        let counting = text.longest(0, words.counting.iter().copied());
        let opening = counting.or_else(|| text.longest(0, words.openings.iter().copied()));
        let begin = Self { is_count: counting.is_some(), ..Self::default() };
        let opened = opening.and_then(|(_, end)| begin.clone().filtered(clock, text, end));
        let (query, filters) = match opened {
            Some(found) => found,
            // What may open a question may also be a filter: "list Work".
            None => begin.filtered(clock, text, 0)?,
        };
        // "Done" alone may be about a task.
        let has_noun = (0..text.len()).any(|at| clock.words.target.task.contains(&text.word(at)));
        let is_clear = filters > 0 && !query.is_completed;
        (opening.is_some() || has_noun || is_clear).then_some(query)
    }

    /// Reads filters behind a word such as "all".
    pub fn of_each(clock: &Clock<'_>, text: &Text<'_>, at: usize) -> Option<Self> {
        Self::default().filtered(clock, text, at).map(|(query, _)| query)
    }

    /// Whether it leaves anything out.
    pub fn is_filter(&self) -> bool {
        *self != Self::default() && !self.is_count && !self.is_next
    }

    /// Takes filters until the end of the text, and counts them.
    fn filtered(
        mut self,
        clock: &Clock<'_>,
        text: &Text<'_>,
        from: usize,
    ) -> Option<(Self, usize)> {
        if text.len() > from + QUESTION_WORDS_MAX {
            return None;
        }
        let (mut at, mut filters) = (from, 0);
        while at < text.len() {
            if let Some((_, end)) = text.longest(at, clock.words.list.due.iter().copied()) {
                at = end;
            } else if let Some(end) = self.filter(clock, text, at) {
                filters += 1;
                at = end;
            } else {
                (_, at) = text.longest(at, clock.words.list.noise.iter().copied())?;
            }
        }
        Some((self, filters))
    }

    fn filter(&mut self, clock: &Clock<'_>, text: &Text<'_>, at: usize) -> Option<usize> {
        let words = &clock.words.list;
        let end_of = |phrases: &[&'static str]| {
            text.longest(at, phrases.iter().copied()).map(|(_, end)| end)
        };
        let days = clock.days(text, at);
        let simple = [
            (end_of(words.overdue), &mut self.is_overdue),
            (end_of(words.undated), &mut self.is_undated),
            (end_of(words.completed), &mut self.is_completed),
            (end_of(words.begun), &mut self.is_begun),
            (end_of(words.next), &mut self.is_next),
        ];
        let longest = simple.into_iter().filter_map(|(end, flag)| Some((end?, flag)));
        let longest = longest.max_by_key(|(end, _)| *end);
        if let Some((end, flag)) = longest
            && days.as_ref().is_none_or(|(_, other)| *other <= end)
        {
            *flag = true;
            return Some(end);
        }
        if let Some((days, end)) = days {
            self.days = Some(days);
            return Some(end);
        }
        let phrases = words.priorities.iter().map(|(phrase, _)| *phrase);
        if let Some((index, end)) = text.longest(at, phrases) {
            self.priorities.extend(words.priorities[index].1);
            return Some(end);
        }
        let first = end_of(words.tagged).unwrap_or(at);
        let tag = text.slice(first..first + 1);
        let is_marked = tag.starts_with(['#', '@']) && tag.chars().any(char::is_alphabetic);
        if is_marked || first > at && first < text.len() {
            self.tags.push(text.word(first).trim_start_matches(['#', '@']).to_owned());
            return Some(first + 1);
        }
        self.in_list(clock, text, at)
    }

    /// The name of a list ends where the word for lists follows, or with the text.
    fn in_list(&mut self, clock: &Clock<'_>, text: &Text<'_>, at: usize) -> Option<usize> {
        let words = &clock.words.list;
        if let Some((_, end)) = text.longest(at, words.inbox.iter().copied()) {
            self.list = Some(INBOX.to_owned());
            return Some(end);
        }
        let (_, first) = text.longest(at, words.in_list.iter().copied())?;
        if words.list.contains(&text.word(first)) || clock.days(text, first).is_some() {
            return None;
        }
        let end = text.len().min(first + LIST_WORDS_MAX);
        let named = (first + 1..end).find(|at| words.list.contains(&text.word(*at)));
        let last = named.unwrap_or(end);
        if first >= last || named.is_none() && end < text.len() {
            return None;
        }
        let name = text.slice(first..last).trim_matches(['"', '“', '”', '„', '?', '.', '+']);
        self.list = Some(name.to_owned());
        Some(named.map_or(last, |at| at + 1))
    }

    /// As the tool that lists tasks takes it.
    pub fn arguments(&self, clock: &Clock<'_>, limit: usize) -> Map<String, Value> {
        let mut given = Map::new();
        let mut set = |name: &str, value: Value| given.insert(name.to_owned(), value);
        let status: &[Status] = match (self.is_completed, self.is_begun) {
            (true, _) => &[Status::Completed],
            (_, true) => &[Status::InProgress],
            _ => &[Status::Pending, Status::InProgress],
        };
        set("status", status.iter().map(|status| status.as_str()).collect());
        if self.is_completed {
            set("sort_by", "updated_at".into());
            set("sort_order", "desc".into());
        } else {
            set("sort_by", "due_date".into());
            set("sort_order", "asc".into());
        }
        if let Some(days) = &self.days {
            if self.is_completed {
                if let [Some(first), _] = clock.instants(days) {
                    set("updated_since", instant::format(first).into());
                }
            } else {
                let mut bound = |name: &str, day: Option<_>| {
                    day.map(|day: rondo_domain::jiff::civil::Date| {
                        set(name, day.to_string().into())
                    })
                };
                bound("due_date_start", days.first);
                bound("due_date_end", days.last);
            }
        }
        if self.is_overdue {
            set("due_date_end", instant::format(clock.now).into());
        }
        if self.is_undated {
            set("has_due_date", false.into());
        }
        if !self.priorities.is_empty() {
            set("priority", self.priorities.iter().map(|priority| priority.as_str()).collect());
        }
        if !self.tags.is_empty() {
            set("tags_all", json!(self.tags));
        }
        if let Some(list) = &self.list {
            set("list", list.clone().into());
        }
        set("limit", if self.is_next { limit.min(NEXT_MAX) } else { limit }.into());
        set("count", true.into());
        given
    }

    /// What an answer calls these tasks, in parts.
    pub fn labels(&self, words: &AnswerWords) -> Vec<String> {
        let mut labels = Vec::new();
        let period = self.days.as_ref().map(|days| days.name.as_str());
        for (is_so, label) in
            [(self.is_begun, words.label_begun), (self.is_overdue, words.label_overdue)]
        {
            labels.extend(is_so.then(|| label.to_owned()));
        }
        match (self.is_completed, period) {
            (true, period) => {
                let label = words.label_completed.replace("{period}", period.unwrap_or_default());
                labels.push(label.trim().replace("  ", " "));
            }
            (false, Some(period)) => labels.push(words.label_due.replace("{period}", period)),
            (false, None) => {}
        }
        labels.extend(self.is_undated.then(|| words.label_undated.to_owned()));
        let priorities = words.priorities.iter();
        let priorities = priorities.filter(|(priority, _)| self.priorities.contains(priority));
        let priorities: Vec<_> = priorities.map(|(_, name)| *name).collect();
        if !priorities.is_empty() {
            let names = priorities.join(&format!(" {} ", words.or));
            labels.push(words.label_priority.replace("{priority}", &names));
        }
        if !self.tags.is_empty() {
            labels.push(words.label_tagged.replace("{tag}", &self.tags.join(", ")));
        }
        labels.extend(self.list.iter().map(|list| match list.as_str() {
            INBOX => words.label_inbox.to_owned(),
            list => words.label_list.replace("{list}", list),
        }));
        labels
    }
}
