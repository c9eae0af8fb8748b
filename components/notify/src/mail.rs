//! What a mail says: one list of lines, rendered as text and as HTML.
//!
//! Title, description and name are whatever somebody typed: none may break out of its line, of the
//! subject's header or of the markup.

use rondo_domain::jiff::civil::DateTime;
use rondo_domain::zone::Zone;

use crate::store::Reminder;

/// A rendered mail; who it goes to is the mailer's to look up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    pub subject: String,
    pub text: String,
    pub html: String,
}

impl Mail {
    #[must_use]
    pub fn of(reminder: &Reminder) -> Self {
        let title = one_line(&reminder.title);
        let paragraphs = paragraphs(reminder, &title);
        Self {
            subject: format!("Reminder: {title}"),
            text: text(&paragraphs),
            html: html(&title, &paragraphs),
        }
    }
}

struct Paragraph {
    content: String,
    strong: bool,
}

fn paragraphs(reminder: &Reminder, title: &str) -> Vec<Paragraph> {
    let plain = |content: String| Paragraph { content, strong: false };
    let mut paragraphs = vec![plain(match reminder.name.as_deref().map(one_line) {
        Some(name) if !name.is_empty() => format!("Hello {name},"),
        _ => "Hello,".to_owned(),
    })];
    paragraphs.push(plain("this is the reminder that you asked for:".to_owned()));
    paragraphs.push(Paragraph { content: title.to_owned(), strong: true });
    if let Some(moment) =
        reminder.due_date.as_deref().and_then(|due| moment(due, &reminder.time_zone))
    {
        paragraphs.push(plain(format!("Due {moment}")));
    }
    if let Some(description) = reminder.description.as_deref().filter(|d| !d.trim().is_empty()) {
        paragraphs.push(plain(description.trim().replace("\r\n", "\n")));
    }
    paragraphs
}

fn text(paragraphs: &[Paragraph]) -> String {
    let contents: Vec<_> = paragraphs.iter().map(|p| p.content.as_str()).collect();
    contents.join("\n\n") + "\n"
}

fn html(title: &str, paragraphs: &[Paragraph]) -> String {
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{}</title></head>\n\
         <body style=\"font-family: sans-serif; line-height: 1.5\">\n",
        escaped(title)
    );
    for paragraph in paragraphs {
        let content = escaped(&paragraph.content).replace('\n', "<br>\n");
        html += &if paragraph.strong {
            format!("<p><strong>{content}</strong></p>\n")
        } else {
            format!("<p>{content}</p>\n")
        };
    }
    html + "</body></html>\n"
}

/// Neutralises what HTML gives a meaning to, in text and in quoted attributes.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Control characters, line breaks among them, become spaces, and spaces one space.
fn one_line(text: &str) -> String {
    let breaks = |character: char| {
        character.is_whitespace()
            || character.is_control()
            || matches!(character, '\u{2028}' | '\u{2029}')
    };
    text.split(breaks).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// An instant on the user's clock: `Mon 12 Jan 2026, 14:00 (Europe/Paris)`.
fn moment(instant: &str, time_zone: &str) -> Option<String> {
    let zone = Zone::parse(time_zone).unwrap_or_else(|_| Zone::utc());
    let local: DateTime = zone.local_of(instant.parse().ok()?);
    Some(format!(
        "{} {} {} {}, {:02}:{:02} ({zone})",
        WEEKDAYS[usize::try_from(local.weekday().to_monday_zero_offset()).ok()?],
        local.day(),
        MONTHS[usize::try_from(local.month() - 1).ok()?],
        local.year(),
        local.hour(),
        local.minute(),
    ))
}

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

#[cfg(test)]
mod tests {
    use super::*;

    fn reminder(title: &str) -> Reminder {
        Reminder {
            fired: true,
            firing: 1,
            remind_at: "2026-01-12T12:00:00Z".to_owned(),
            title: title.to_owned(),
            description: Some("One.\r\nTwo <b>.".to_owned()),
            completed: false,
            due_date: Some("2026-01-12T13:00:00Z".to_owned()),
            name: Some("Ann".to_owned()),
            time_zone: "Europe/Paris".to_owned(),
            wants_mail: true,
            email_verified: true,
        }
    }

    #[test]
    fn text_and_html_say_the_same() {
        let mail = Mail::of(&reminder("Team meeting"));
        assert_eq!(mail.subject, "Reminder: Team meeting");
        assert_eq!(
            mail.text,
            "Hello Ann,\n\nthis is the reminder that you asked for:\n\nTeam meeting\n\n\
             Due Mon 12 Jan 2026, 14:00 (Europe/Paris)\n\nOne.\nTwo <b>.\n"
        );
        assert!(mail.html.contains("<p><strong>Team meeting</strong></p>"));
        assert!(mail.html.contains("<p>One.<br>\nTwo &lt;b&gt;.</p>"));
    }

    #[test]
    fn a_hostile_title_stays_in_its_place() {
        let mail =
            Mail::of(&reminder("x\r\nBcc: all@example.org\u{2028}<script>alert('1')&\"</script>"));
        assert_eq!(mail.subject, "Reminder: x Bcc: all@example.org <script>alert('1')&\"</script>");
        assert!(!mail.html.contains("<script>"), "{}", mail.html);
        assert!(mail.html.contains("&lt;script&gt;alert(&#39;1&#39;)&amp;&quot;&lt;/script&gt;"));
    }
}
