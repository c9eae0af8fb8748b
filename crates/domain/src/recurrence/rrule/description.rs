//! Describes an RFC 5545 rule in words.

use jiff::civil::{DateTime, Weekday};

use super::super::frequency::Frequency;
use super::super::phrase::{
    day_and_month, every, listed, month_name, on_weekdays, ordinal, weekday_name,
};
use super::Rrule;

/// Monday to Friday, as bits.
const WORKDAYS: u8 = 0b1_1111;

impl Rrule {
    /// Without its end. If the rule leaves the day to its anchor, so do the words.
    pub(in super::super) fn describe(&self, anchor: DateTime) -> String {
        if let Some(words) = self.workday_words(anchor) {
            return words;
        }
        let months = self.month_words();
        let mut words = every(self.frequency, self.interval);
        let is_date = self.repeats_its_anchor() && self.frequency == Frequency::Yearly;
        if is_date {
            words += &format!(" on {}", day_and_month(anchor.date()));
        } else {
            words += &self.day_words(anchor);
        }
        if !months.is_empty() {
            words += &format!(" in {}", listed(&months, "and"));
        }
        words += &self.week_words();
        let places: Vec<_> = self.set_positions.iter().map(ordinal).collect();
        if !places.is_empty() {
            words += &format!(", but only the {} of these days", listed(&places, "and"));
        }
        words + &self.time_words(anchor)
    }

    /// "Every month on the last workday"
    fn workday_words(&self, anchor: DateTime) -> Option<String> {
        let [place] = self.set_positions.iter().collect::<Vec<_>>()[..] else { return None };
        let is_plain = self.month_days.iter().next().is_none()
            && self.year_days.iter().next().is_none()
            && self.weeks.is_empty()
            && self.months == 0
            && self.numbered_weekdays.iter().all(|numbers| numbers.iter().next().is_none());
        let is_of_workdays = self.frequency == Frequency::Monthly && self.weekdays == WORKDAYS;
        (is_plain && is_of_workdays).then(|| {
            let every = every(self.frequency, self.interval);
            format!("{every} on the {} workday{}", ordinal(place), self.time_words(anchor))
        })
    }

    fn month_words(&self) -> Vec<String> {
        let named = (1..=12).filter(|month| self.months & 1 << month != 0);
        named.map(|month| month_name(month).to_owned()).collect()
    }

    fn day_words(&self, anchor: DateTime) -> String {
        let mut month_days: Vec<_> = self.month_days.iter().map(month_day_words).collect();
        let mut weekdays = self.weekday_words();
        if !self.names_days() {
            match self.frequency {
                Frequency::Daily => {}
                Frequency::Weekly => weekdays = format!(" on {}", weekday_name(anchor.weekday())),
                Frequency::Yearly if !self.weeks.is_empty() => {
                    weekdays = format!(" on {}", weekday_name(anchor.weekday()));
                }
                Frequency::Monthly | Frequency::Yearly => {
                    month_days.push(month_day_words(anchor.day().into()));
                }
            }
        }
        let mut words = weekdays;
        let mut link = if words.is_empty() { " on" } else { " if it is" };
        if !month_days.is_empty() {
            words += &format!("{link} {}", listed(&month_days, "and"));
            link = " if it is";
        }
        let year_days: Vec<_> = self.year_days.iter().map(ordinal).collect();
        if !year_days.is_empty() {
            words += &format!("{link} the {} day of the year", listed(&year_days, "and"));
        }
        words
    }

    fn weekday_words(&self) -> String {
        let plain: Vec<u8> = (0..7).filter(|day| self.weekdays & 1 << day != 0).collect();
        let within_year = self.frequency == Frequency::Yearly && self.months == 0;
        let scope = if within_year { " of the year" } else { "" };
        let mut numbered = Vec::new();
        for (offset, numbers) in self.numbered_weekdays.iter().enumerate() {
            let Ok(day) = Weekday::from_monday_zero_offset(offset as i8) else { continue };
            let name = weekday_name(day);
            numbered.extend(numbers.iter().map(|n| format!("the {} {name}{scope}", ordinal(n))));
        }
        match (plain.is_empty(), numbered.is_empty()) {
            (true, true) => String::new(),
            (false, true) => on_weekdays(&plain),
            (true, false) => format!(" on {}", listed(&numbered, "and")),
            (false, false) => {
                format!("{} and on {}", on_weekdays(&plain), listed(&numbered, "and"))
            }
        }
    }

    fn week_words(&self) -> String {
        let weeks: Vec<_> = self
            .weeks
            .iter()
            .map(|week| match week {
                1.. => week.to_string(),
                _ => format!("the {}", ordinal(week)),
            })
            .collect();
        if weeks.is_empty() { String::new() } else { format!(" in week {}", listed(&weeks, "and")) }
    }

    /// The time of day, unless the rule leaves all of it to its anchor.
    fn time_words(&self, anchor: DateTime) -> String {
        if !self.names_time() {
            return String::new();
        }
        let time = self.time(anchor.time());
        match time.second() {
            0 => format!(" at {:02}:{:02}", time.hour(), time.minute()),
            second => format!(" at {:02}:{:02}:{second:02}", time.hour(), time.minute()),
        }
    }
}

fn month_day_words(day: i16) -> String {
    if day > 0 { format!("day {day}") } else { format!("the {} day", ordinal(day)) }
}
