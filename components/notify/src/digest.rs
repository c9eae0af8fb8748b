//! The daily digest: overdue tasks, tasks due on its day, and missed reminders.

use rondo_domain::due::Due;
use rondo_domain::instant::Instant;
use rondo_domain::jiff::ToSpan as _;
use rondo_domain::jiff::civil::Date;
use rondo_domain::moment;
use rondo_domain::zone::Zone;
use serde::Deserialize;

use crate::mail::{Block, Item, Links, Mail, Reader, one_line};

/// Maximum number of entries in one list; the rest is only counted.
pub const ITEMS_MAX: i64 = 50;

/// The content of a digest.
pub struct Digest {
    pub overdue: Group,
    pub due: Group,
    pub missed: Group,
}

/// One list of a digest.
#[derive(Default)]
pub struct Group {
    /// At most [`ITEMS_MAX`].
    pub items: Vec<Entry>,
    /// All entries, including those left out of `items`.
    pub count: i64,
}

/// A task, or a missed reminder of one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Entry {
    /// Id of the missed reminder's notification, otherwise of the task.
    pub id: i64,
    pub task_id: i64,
    pub title: String,
    /// RFC 3339: when the task is due, or when the missed reminder fired.
    pub at: String,
    /// The day of a task that is due without a time.
    pub day: Option<String>,
}

/// Start and exclusive end of a local day.
#[must_use]
pub fn bounds(day: Date, zone: &Zone) -> Option<(Instant, Instant)> {
    let start = |day: Date| zone.instant_of(day.to_datetime(rondo_domain::jiff::civil::Time::MIN));
    Some((start(day)?, start(day.checked_add(1.day()).ok()?)?))
}

impl Digest {
    /// The mail; none if every list is empty.
    #[must_use]
    pub fn mail(&self, day: Date, zone: &Zone, reader: &Reader, links: &Links) -> Option<Mail> {
        let groups = [
            ("Overdue", &self.overdue),
            ("Due today", &self.due),
            ("Reminders that were missed while no mail could be sent", &self.missed),
        ];
        let blocks: Vec<_> = groups
            .into_iter()
            .filter(|(_, group)| group.count > 0)
            .map(|(heading, group)| group.block(heading, zone, links))
            .collect();
        if blocks.is_empty() {
            return None;
        }
        let day = moment::day_in_words(day);
        let mut all = vec![Block::Text(format!("this is your digest of {day}."))];
        all.extend(blocks);
        Some(Mail::of(self.subject(&day), reader, all, links))
    }

    fn subject(&self, day: &str) -> String {
        let parts = [
            (self.overdue.count, "overdue"),
            (self.due.count, "due"),
            (self.missed.count, "missed"),
        ];
        let parts: Vec<_> = parts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        format!("{day}: {}", parts.join(", "))
    }
}

impl Group {
    fn block(&self, heading: &str, zone: &Zone, links: &Links) -> Block {
        let mut items: Vec<_> = self.items.iter().map(|entry| entry.item(zone, links)).collect();
        let more = self.count - i64::try_from(items.len()).unwrap_or(i64::MAX);
        if more > 0 {
            items.push(Item { text: format!("and {more} more"), link: None });
        }
        Block::List(format!("{heading}:"), items)
    }
}

impl Entry {
    fn item(&self, zone: &Zone, links: &Links) -> Item {
        let title = one_line(&self.title);
        let text = match Due::parse(Some(&self.at), self.day.as_deref()) {
            Ok(Some(due)) => format!("{title} ({})", moment::due_in_words(due, zone)),
            _ => title,
        };
        Item { text, link: Some(links.open(self.task_id)) }
    }
}

#[cfg(test)]
mod tests {
    use rondo_contract::token::HmacKey;

    use super::*;

    fn entry(id: i64, title: &str, at: &str) -> Entry {
        Entry { id, task_id: id, title: title.to_owned(), at: at.to_owned(), day: None }
    }

    fn group(entries: &[Entry], count: i64) -> Group {
        Group { items: entries.to_vec(), count }
    }

    fn mail(digest: &Digest) -> Option<Mail> {
        let reader = Reader {
            user_id: 7,
            name: None,
            time_zone: "Europe/Paris".to_owned(),
            wants_mail: true,
            email_verified: true,
        };
        let zone = Zone::parse("Europe/Paris").unwrap();
        let key = HmacKey::new(&[7; 32]).unwrap();
        let now = Instant::UNIX_EPOCH;
        let links = Links { public_url: "https://a.example", key: &key, user_id: 7, now };
        digest.mail("2026-01-12".parse().unwrap(), &zone, &reader, &links)
    }

    #[test]
    fn a_digest_lists_its_groups() {
        let digest = Digest {
            overdue: group(&[entry(1, "Old\n<i>", "2026-01-11T09:00:00Z")], 3),
            due: group(&[entry(2, "New", "2026-01-12T13:00:00Z")], 1),
            missed: Group::default(),
        };
        let mail = mail(&digest).unwrap();
        assert_eq!(mail.subject, "Monday, 12 January 2026: 3 overdue, 1 due");
        let start = "Hello,\n\nthis is your digest of Monday, 12 January 2026.\n\nOverdue:\n\
                     - Old <i> (Sunday, 11 January 2026 at 10:00 (Europe/Paris))\n  \
                     https://a.example/#/tasks/1\n- and 2 more\n\nDue today:\n\
                     - New (Monday, 12 January 2026 at 14:00 (Europe/Paris))\n  \
                     https://a.example/#/tasks/2\n\nUnsubscribe:\n";
        assert!(mail.text.starts_with(start), "{}", mail.text);
        assert!(mail.html.contains("\">Old &#60;i&#62; (Sunday"), "{}", mail.html);
        assert!(mail.html.contains("<li>and 2 more</li>"), "{}", mail.html);
    }

    #[test]
    fn a_day_is_named_without_a_time() {
        let mut day = entry(1, "Tax return", "2026-01-12T22:59:59.999999Z");
        day.day = Some("2026-01-12".to_owned());
        let digest =
            Digest { overdue: Group::default(), due: group(&[day], 1), missed: Group::default() };
        let text = mail(&digest).unwrap().text;
        assert!(text.contains("- Tax return (Monday, 12 January 2026)\n"), "{text}");
    }

    #[test]
    fn empty_lists_give_no_mail() {
        let (overdue, due, missed) = <(Group, Group, Group)>::default();
        assert_eq!(mail(&Digest { overdue, due, missed }), None);
    }

    #[test]
    fn a_day_begins_and_ends_on_the_readers_clock() {
        let check = |zone: &str, day: &str, start: &str, end: &str| {
            let found = bounds(day.parse().unwrap(), &Zone::parse(zone).unwrap()).unwrap();
            assert_eq!(
                (found.0.to_string(), found.1.to_string()),
                (start.to_owned(), end.to_owned())
            );
        };
        // A day of 23 hours.
        check("Europe/Paris", "2031-03-30", "2031-03-29T23:00:00Z", "2031-03-30T22:00:00Z");
        // A day that begins at 01:00.
        check("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z");
    }
}
