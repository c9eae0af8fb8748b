//! Times of day.

use jiff::civil::Time;

use super::scan::{Found, Scan, Strength};

/// From this hour on, a part of the day means the half after noon.
const NOON: i8 = 12;

/// A time of day as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Clock {
    hour: i8,
    minute: i8,
    /// Whether it states which half of the day is meant.
    is_whole_day: bool,
}

impl Clock {
    fn time(self) -> Option<Time> {
        Time::new(self.hour, self.minute, 0, 0).ok()
    }

    /// Moves the time to the half of the day of a part such as "evening".
    fn within(self, part: i8) -> Self {
        let is_later = part >= NOON && self.hour < NOON && !self.is_whole_day;
        Self { hour: self.hour + if is_later { NOON } else { 0 }, ..self }
    }
}

impl Scan<'_> {
    /// "at 9", "9:30", "6pm", "noon", "in the evening", "in the evening at 8".
    pub fn time(&self, at: usize) -> Option<Found<Time>> {
        self.clock_time(at).or_else(|| self.part_and_clock(at, false))
    }

    /// Like [`Scan::time`], but after a day, where "evening" and "9" alone are also times.
    pub fn time_of_day(&self, at: usize) -> Option<Found<Time>> {
        let found = self.time(at).or_else(|| self.part_and_clock(at, true)).or_else(|| {
            let clock = self.clock(at)?;
            let has_unit = self.unit(clock.end).is_some();
            (!has_unit && self.is_plain_hour(at)).then_some(clock)?.time()
        })?;
        (self.begins(at) && self.ends(found.end)).then_some(found)
    }

    /// A lone number after a day is an hour if it ends the title.
    fn is_plain_hour(&self, at: usize) -> bool {
        let next = self.tokens.get(at + 1);
        next.is_none_or(|token| token.is_glued)
    }

    /// A part of the day, possibly with a time in it.
    fn part_and_clock(&self, at: usize, is_bare: bool) -> Option<Found<Time>> {
        let bare = || self.lookup(at, self.words.time.parts).filter(|_| is_bare);
        let (part, end) = self.part(at).or_else(bare)?;
        Some(self.clock_in_part(part, end))
    }

    /// After a part of the day: a time in it, or its first hour.
    pub fn clock_in_part(&self, part: i8, at: usize) -> Found<Time> {
        let led = self.any(at, self.words.time.lead).unwrap_or(at);
        let clock = self.clock(led).filter(|found| {
            let is_marked = found.strength != Strength::Edge || led > at || self.is_plain_hour(at);
            is_marked && self.begins(at) && self.ends(found.end)
        });
        clock
            .and_then(|found| Found::sure(found.value.within(part), found.end).time())
            .unwrap_or(Found::sure(Time::constant(part, 0, 0, 0), at))
    }

    /// A time with its lead-in.
    fn clock_time(&self, at: usize) -> Option<Found<Time>> {
        let led = match self.any(at, self.words.time.lead) {
            None if self.mark(at, '@') => Some(at + 1),
            other => other,
        };
        let start = led.unwrap_or(at);
        if let Some((time, end)) = self.lookup(start, self.words.time.times) {
            let strength = if led.is_some() { Strength::Sure } else { Strength::Edge };
            return Some(Found { value: time, end, strength });
        }
        let clock = self.clock(start)?;
        match (led, clock.strength) {
            (None, Strength::Edge) => None,
            (Some(_), Strength::Doubtful) => Found { strength: Strength::Sure, ..clock }.time(),
            // A lone hour may begin another phrase: "at 9 Main Street", "um 9 Prozent".
            _ => clock.time(),
        }
    }

    /// Hours and minutes. A lone hour is [`Strength::Edge`].
    fn clock(&self, at: usize) -> Option<Found<Clock>> {
        let words = &self.words.time;
        if let Some((minutes, hour_at)) = self.lookup(at, words.fractions) {
            let hour =
                i8::try_from(self.number(hour_at).filter(|hour| (1..=24).contains(hour))?).ok()?;
            let (hour, minute) = match minutes {
                0.. => (hour % 24, minutes as i8),
                _ => (hour - 1, (60 + minutes) as i8),
            };
            let end = self.skip(hour_at + 1, words.clock);
            let value = Clock { hour, minute, is_whole_day: hour > NOON };
            return Some(Found { value, end, strength: Strength::Doubtful });
        }
        let hour = self.number(at).filter(|hour| *hour < 24 && self.digits(at) <= 2)? as i8;
        let mut clock = Clock { hour, minute: 0, is_whole_day: hour > NOON };
        let mut end = at + 1;
        let mut strength = Strength::Edge;
        let minute = |mark| {
            let is_minute = self.glued_mark(at + 1, mark) && self.digits(at + 2) == 2;
            self.glued_number(at + 2, 0, 59).filter(|_| is_minute)
        };
        if let Some(minute) = minute(':') {
            clock.minute = minute as i8;
            clock.is_whole_day = clock.is_whole_day || self.digits(at) == 2;
            end = at + 3;
            strength = Strength::Doubtful;
        } else if let Some(minute) = minute('.') {
            // Only with a word after it, because 9.30 is also a number and a date.
            if self.any(at + 3, words.clock).is_some() || self.half(at + 3).is_some() {
                clock.minute = minute as i8;
                end = at + 3;
            }
        }
        let found = self.clock_word(Found { value: clock, end, strength });
        Some(self.part_after(found))
    }

    /// A word after a time that makes it certain: "am", "pm", "o'clock".
    fn clock_word(&self, mut found: Found<Clock>) -> Found<Clock> {
        if let Some((is_after_noon, end)) = self.half(found.end)
            && (1..=NOON).contains(&found.value.hour)
        {
            let hour = found.value.hour % NOON + if is_after_noon { NOON } else { 0 };
            let value = Clock { hour, is_whole_day: true, ..found.value };
            return Found::sure(value, end);
        }
        if let Some(end) = self.any(found.end, self.words.time.clock) {
            found = Found::sure(found.value, end);
            // 9 Uhr 30
            if found.value.minute == 0
                && let Some(minute) = self.number(end).filter(|minute| *minute < 60)
                && self.digits(end) == 2
                && self.unit(end + 1).is_none()
                && self.ends(end + 1)
            {
                found.value.minute = minute as i8;
                found.end = end + 1;
            }
        }
        found
    }

    /// "8 in the evening", "8 Uhr abends".
    fn part_after(&self, found: Found<Clock>) -> Found<Clock> {
        match self.part(found.end).filter(|(_, end)| self.begins(found.end) && self.ends(*end)) {
            Some((part, end)) => Found::sure(found.value.within(part), end),
            None => found,
        }
    }

    /// A part of the day that needs no day.
    pub fn part(&self, at: usize) -> Option<(i8, usize)> {
        let words = &self.words.time;
        let led = || self.lookup(self.any(at, words.part_lead)?, words.parts);
        self.lookup(at, words.part_adverbs).or_else(led)
    }

    /// A time after whose day a part of the day follows: "at 8 tomorrow evening".
    pub fn moved_by_part(&self, time: Time, at: usize) -> Option<(Time, usize)> {
        let (part, end) = self.part(at).or_else(|| self.lookup(at, self.words.time.parts))?;
        if !self.begins(at) || !self.ends(end) {
            return None;
        }
        let clock = Clock { hour: time.hour(), minute: time.minute(), is_whole_day: false };
        Some((clock.within(part).time()?, end))
    }

    /// The half of the day: before or after noon.
    fn half(&self, at: usize) -> Option<(bool, usize)> {
        let words = &self.words.time;
        let before = self.any(at, words.before_noon).map(|end| (false, end));
        before.or_else(|| Some((true, self.any(at, words.after_noon)?)))
    }
}

impl Found<Clock> {
    fn time(self) -> Option<Found<Time>> {
        let time = self.value.time()?;
        Some(self.map(|_| time))
    }
}
