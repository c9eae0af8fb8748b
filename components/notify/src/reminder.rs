//! The mail of a reminder.

use rondo_contract::link_token::{Purpose, TASK_LINK_LIFETIME_S};
use rondo_domain::due::Due;
use rondo_domain::moment;
use rondo_domain::notification::Firing;
use rondo_domain::zone::Zone;
use serde_json::Value;

use crate::mail::{Block, LabelledUrl, Links, Mail, Reader, one_line};

/// The current state of a reminder, its task and its user.
pub struct Reminder {
    /// The reminder has been neither armed again nor cancelled since it came due.
    pub fired: bool,
    /// The task still has the due date or the offset that the reminder was planned by.
    pub planned: bool,
    pub firing: i64,
    pub remind_at: String,
    pub task_id: i64,
    /// The task's revision.
    pub revision: i64,
    pub title: String,
    pub description: Option<String>,
    pub completed: bool,
    /// When it is due; for a day without a time, when that day ends.
    pub due_at: Option<String>,
    pub due_day: Option<String>,
    pub reader: Reader,
}

impl Reminder {
    /// The reminder's mail.
    #[must_use]
    pub fn mail(&self, firing: &Firing, links: &Links) -> Mail {
        let title = one_line(&self.title);
        let mut blocks = vec![
            Block::Text("this is the reminder that you asked for:".to_owned()),
            Block::Title(title.clone()),
        ];
        let due = Due::parse(self.due_at.as_deref(), self.due_day.as_deref());
        if let Ok(Some(due)) = due {
            let zone = Zone::parse(&self.reader.time_zone).unwrap_or_else(|_| Zone::utc());
            blocks.push(Block::Text(format!("Due {}", moment::due_in_words(due, &zone))));
        }
        if let Some(description) = self.description.as_deref().filter(|d| !d.trim().is_empty()) {
            blocks.push(Block::Text(description.trim().replace("\r\n", "\n")));
        }
        let act = |label, purpose, subject_id| LabelledUrl {
            label,
            url: links.act(purpose, subject_id, firing.number, TASK_LINK_LIFETIME_S),
        };
        blocks.push(Block::Links(vec![
            act("Complete", Purpose::Complete, self.task_id),
            act("Remind me in an hour", Purpose::SnoozeHour, firing.reminder_id),
            act("Remind me tomorrow", Purpose::SnoozeTomorrow, firing.reminder_id),
            LabelledUrl { label: "Open", url: links.open(self.task_id) },
        ]));
        Mail::of(format!("Reminder: {title}"), &self.reader, blocks, links)
    }

    /// The mail, and the state that it was rendered from, in the database's form.
    #[must_use]
    pub fn record(&self, mail: &Mail) -> Value {
        let mut record = mail.json();
        record["revision"] = self.revision.into();
        record["due_date"] = self.due_at.clone().into();
        record["remind_at"] = self.remind_at.clone().into();
        record
    }
}

#[cfg(test)]
mod tests {
    use rondo_domain::instant::Instant;

    use super::*;
    use rondo_contract::link_token::Link;
    use rondo_contract::token::HmacKey;

    const PUBLIC_URL: &str = "https://a.example/rondo";

    fn reminder(title: &str) -> Reminder {
        Reminder {
            fired: true,
            planned: true,
            firing: 2,
            remind_at: "2026-01-12T12:00:00Z".to_owned(),
            task_id: 42,
            revision: 5,
            title: title.to_owned(),
            description: Some("One.\r\nTwo <b>.".to_owned()),
            completed: false,
            due_at: Some("2026-01-12T13:00:00Z".to_owned()),
            due_day: None,
            reader: Reader {
                user_id: 7,
                name: Some("Ann".to_owned()),
                time_zone: "Europe/Paris".to_owned(),
                wants_mail: true,
                email_verified: true,
            },
        }
    }

    fn key() -> HmacKey {
        HmacKey::new(&[7; 32]).unwrap()
    }

    fn now() -> Instant {
        "2026-01-12T12:00:01Z".parse().unwrap()
    }

    fn mail(reminder: &Reminder) -> Mail {
        let firing =
            Firing { reminder_id: 9, number: 2, remind_at: reminder.remind_at.parse().unwrap() };
        let links = Links { public_url: PUBLIC_URL, key: &key(), user_id: 7, now: now() };
        reminder.mail(&firing, &links)
    }

    #[test]
    fn text_and_html_say_the_same() {
        let mail = mail(&reminder("Team meeting"));
        assert_eq!(mail.subject, "Reminder: Team meeting");
        let start = "Hello Ann,\n\nthis is the reminder that you asked for:\n\nTeam meeting\n\n\
                     Due Monday, 12 January 2026 at 14:00 (Europe/Paris)\n\nOne.\nTwo <b>.\n\n\
                     Complete:\nhttps://a.example/rondo/links/complete?token=complete.7.42.2.";
        assert!(mail.text.starts_with(start), "{}", mail.text);
        assert!(mail.text.contains("\n\nUnsubscribe:\nhttps://a.example/rondo/links/"));
        assert!(mail.html.contains("<p><strong>Team meeting</strong></p>"));
        assert!(mail.html.contains("<p>One.<br>\nTwo &#60;b&#62;.</p>"), "{}", mail.html);
        let links = |text: &str| {
            let ends = |letter: char| letter.is_whitespace() || letter == '"';
            let links = text.match_indices("https://").map(|(at, _)| &text[at..]);
            links.map(|link| link.split(ends).next().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(links(&mail.text).len(), 5);
        assert_eq!(links(&mail.text), links(&mail.html));
    }

    #[test]
    fn a_day_is_named_without_a_time() {
        let mut reminder = reminder("Tax return");
        reminder.due_at = Some("2026-11-26T22:59:59.999999Z".to_owned());
        reminder.due_day = Some("2026-11-26".to_owned());
        assert!(mail(&reminder).text.contains("\n\nDue Thursday, 26 November 2026\n\n"));
    }

    #[test]
    fn links_carry_their_action_and_expire_after_a_month() {
        let mail = mail(&reminder("Team meeting"));
        let tokens: Vec<_> =
            mail.text.lines().filter_map(|line| line.split_once("?token=")).collect();
        let read = |later_s: i64| -> Vec<_> {
            let now_s = now().as_second() + later_s;
            tokens.iter().map(|(_, token)| Link::read(token, &[key()], now_s).ok()).collect()
        };
        let found = read(TASK_LINK_LIFETIME_S - 1).into_iter().map(|link| {
            let link = link.unwrap();
            (link.purpose, link.user_id, link.subject_id, link.firing)
        });
        let expected = [
            (Purpose::Complete, 7, 42, 2),
            (Purpose::SnoozeHour, 7, 9, 2),
            (Purpose::SnoozeTomorrow, 7, 9, 2),
            (Purpose::Unsubscribe, 7, 0, 0),
        ];
        assert_eq!(found.collect::<Vec<_>>(), expected);
        let later = read(TASK_LINK_LIFETIME_S);
        assert!(later[..3].iter().all(Option::is_none) && later[3].is_some());
        assert!(mail.text.contains(&format!("\n{PUBLIC_URL}/#/tasks/42\n")));
        assert_eq!(tokens[3].1, mail.unsubscribe_url.split_once("?token=").unwrap().1);
    }

    #[test]
    fn a_hostile_title_stays_in_its_place() {
        let mail =
            mail(&reminder("x\r\nBcc: all@example.org\u{2028}<script>alert('1')&\"</script>"));
        assert_eq!(mail.subject, "Reminder: x Bcc: all@example.org <script>alert('1')&\"</script>");
        assert!(!mail.html.contains("<script>"), "{}", mail.html);
        let escaped = "&#60;script&#62;alert(&#39;1&#39;)&#38;&#34;&#60;/script&#62;";
        assert!(mail.html.contains(&format!("<title>Reminder: x Bcc: all@example.org {escaped}<")));
        assert!(mail.html.contains(&format!("<strong>x Bcc: all@example.org {escaped}</strong>")));
        assert!(mail.text.contains("\nx Bcc: all@example.org <script>"), "{}", mail.text);
    }
}
