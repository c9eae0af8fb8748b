//! Prints generated rules and their occurrences as this crate calculates them, one JSON object per line, for
//! an independent program to check. The same seed generates the same rules.
//!
//! `oracle SEED FIRST COUNT`; `cargo xtask oracle` runs it.

use std::fmt::Write as _;
use std::io::{self, BufWriter, Write as _};

use rondo_domain::due::DAY_REMINDER_TIME;
use rondo_domain::jiff::SignedDuration;
use rondo_domain::jiff::civil::{Date, DateTime, Time};
use rondo_domain::offset::ReminderOffset;
use rondo_domain::recurrence::{
    Anchor, Basis, CatchUp, EndDate, Frequency, MonthEnd, RuleDraft, Series, Successor,
};
use rondo_domain::zone::{self, Zone};

/// Maximum number of occurrences compared per rule.
const OCCURRENCES_MAX: usize = 24;
/// How far ahead occurrences are searched for: a leap day is at most eight years away.
const HORIZON_YEARS: i16 = 10;
/// Number of successive completions simulated per series.
const COMPLETIONS: u32 = 4;
/// Maximum delay of a completion, in days. Small values come more often.
const DAYS_LATE: [u64; 5] = [1, 1, 8, 60, 400];
/// Maximum number of days by which a completion is early.
const DAYS_EARLY: u64 = 4;
const SECONDS_PER_DAY: u64 = 86_400;

const ZONES: [&str; 16] = [
    "UTC",
    "Europe/Paris",
    "Europe/London",
    "Europe/Istanbul",
    "America/New_York",
    "America/St_Johns",
    "America/Sao_Paulo",
    "America/Caracas",
    "Africa/Casablanca",
    "Africa/Cairo",
    "Asia/Kathmandu",
    "Asia/Pyongyang",
    "Asia/Gaza",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Chatham",
];
const WEEKDAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];
/// The first week number that may span two years.
const EDGE_WEEK: u64 = 52;
/// Times of day, among them some at which clocks change somewhere.
const MINUTES: [u64; 10] = [0, 15, 30, 90, 120, 135, 150, 165, 540, 1_439];

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1).map(|word| word.parse::<u64>());
    let (Some(Ok(seed)), Some(Ok(first)), Some(Ok(count)), None) =
        (arguments.next(), arguments.next(), arguments.next(), arguments.next())
    else {
        eprintln!("usage: oracle SEED FIRST COUNT");
        std::process::exit(2);
    };
    let mut out = BufWriter::new(io::stdout().lock());
    writeln!(out, "{{\"time_zone_database\":\"{}\"}}", zone::database_version())?;
    for index in first..first + count {
        writeln!(out, "{}", Case::generate(seed, index).line())?;
    }
    out.flush()
}

/// A rule with its anchor, zone, reminder and completions.
struct Case {
    index: u64,
    draft: RuleDraft,
    /// At midnight for a series of days.
    anchor: DateTime,
    is_of_days: bool,
    zone: Zone,
    /// A reminder offset: days and seconds.
    reminder: (u64, u64),
    /// How long after its slot's instant each occurrence is completed, in seconds.
    delays: Vec<i64>,
}

impl Case {
    fn generate(seed: u64, index: u64) -> Self {
        let mut chance = Chance(seed ^ index.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let anchor = chance.local();
        let mut draft = if chance.one_in(4) {
            chance.structured()
        } else {
            RuleDraft { rrule: Some(chance.rrule(anchor.date())), ..RuleDraft::default() }
        };
        let has_end = draft.rrule.as_ref().is_some_and(|text| text.contains("UNTIL"))
            || draft.rrule.as_ref().is_some_and(|text| text.contains("COUNT"));
        if !has_end && chance.one_in(4) {
            let end = anchor.date().saturating_add(chance.days(2_000));
            draft.end_date = Some(EndDate::Date(end));
        } else if !has_end && chance.one_in(4) {
            draft.count = Some(1 + chance.below(40) as i64);
        }
        let zone = Zone::parse(chance.pick(&ZONES)).expect("a zone that the database has");
        let reminder = (chance.below(4), chance.below(3) * 1_800);
        draft.basis = chance.one_in(3).then_some(Basis::Completion);
        draft.catch_up = chance.one_in(3).then_some(CatchUp::OneStep);
        let delays = (0..COMPLETIONS).map(|_| chance.delay()).collect();
        let names_time = draft.rrule.as_ref().is_some_and(|text| text.contains("BYHOUR"));
        let is_of_days = chance.one_in(4) && !names_time;
        let anchor = if is_of_days { anchor.date().to_datetime(Time::midnight()) } else { anchor };
        Self { index, draft, anchor, is_of_days, zone, reminder, delays }
    }

    fn line(&self) -> String {
        let rule = self.draft.clone().build().expect("a generated rule is valid");
        let anchor = Anchor::of_local(self.anchor, self.is_of_days);
        let series = Series::new(rule, anchor, self.zone.clone());
        let horizon = self.anchor.date().year() + HORIZON_YEARS;
        let offset = format!("P{}DT{}S", self.reminder.0, self.reminder.1);
        let offset = ReminderOffset::parse(&offset).expect("a generated offset is valid");
        // A rule based on completions has no calendar to list.
        let listed = match series.rule().basis {
            Basis::Schedule => series.preview(OCCURRENCES_MAX),
            Basis::Completion => Vec::new(),
        };
        let slots: Vec<_> = listed
            .into_iter()
            .take_while(|slot| slot.local.date().year() < horizon)
            .map(|slot| {
                let remind_at = slot.due.remind_at(offset, &self.zone, DAY_REMINDER_TIME);
                format!("[\"{}\",\"{}\",\"{remind_at}\"]", slot.local, slot.due.end(&self.zone))
            })
            .collect();
        format!(
            "{{\"case\":{},{},\"anchor\":\"{}\",\"zone\":\"{}\",\"horizon\":{horizon},\
             \"days\":{},\"max\":{OCCURRENCES_MAX},\"remind\":[{},{}],\"slots\":[{}],\"chain\":[{}]}}",
            self.index,
            self.rule(),
            self.anchor,
            self.zone,
            self.is_of_days,
            self.reminder.0,
            self.reminder.1,
            slots.join(","),
            self.chain(&series, horizon).join(","),
        )
    }

    /// Completes one occurrence after another, starting at the anchor. Each line has the completion and the
    /// successor with the slots skipped; the chain ends with the series or the horizon.
    fn chain(&self, series: &Series, horizon: i16) -> Vec<String> {
        let mut steps = Vec::new();
        let mut slot = self.anchor;
        for (delay, completions) in self.delays.iter().zip(1..) {
            let due = series.due(slot).expect("within the calendar").end(&self.zone);
            let done = due.checked_add(SignedDuration::from_secs(*delay));
            let done = done.expect("within the calendar");
            match series.successor(slot, done, done, completions, &[]) {
                Successor::Next { slot: next, due, skipped } if next.date().year() < horizon => {
                    let skipped: Vec<_> = skipped.iter().map(|at| format!("\"{at}\"")).collect();
                    let skipped = skipped.join(",");
                    let due = due.end(&self.zone);
                    steps.push(format!("[\"{done}\",\"{next}\",\"{due}\",[{skipped}]]"));
                    slot = next;
                }
                _ => {
                    steps.push(format!("[\"{done}\"]"));
                    break;
                }
            }
        }
        steps
    }

    /// The members of the rule that are set.
    fn rule(&self) -> String {
        let draft = &self.draft;
        let mut members = Vec::new();
        if let Some(rrule) = &draft.rrule {
            members.push(format!("\"rrule\":\"{rrule}\""));
        }
        if let Some(frequency) = draft.frequency {
            members.push(format!("\"frequency\":\"{frequency}\""));
        }
        let numbers =
            [("interval", draft.interval), ("day", draft.day_of_month), ("count", draft.count)];
        for (name, number) in numbers {
            members.extend(number.map(|number| format!("\"{name}\":{number}")));
        }
        if let Some(days) = &draft.days_of_week {
            members.push(format!("\"weekdays\":{days:?}"));
        }
        if let Some(month_end) = draft.month_end {
            members.push(format!("\"month_end\":\"{month_end}\""));
        }
        if let Some(basis) = draft.basis {
            members.push(format!("\"basis\":\"{basis}\""));
        }
        if let Some(catch_up) = draft.catch_up {
            members.push(format!("\"catch_up\":\"{catch_up}\""));
        }
        if let Some(EndDate::Date(date)) = draft.end_date {
            members.push(format!("\"end_date\":\"{date}\""));
        }
        members.join(",")
    }
}

/// Pseudo-random numbers from a seed (SplitMix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u64) as usize]
    }

    fn days(&mut self, bound: u64) -> rondo_domain::jiff::Span {
        rondo_domain::jiff::Span::new().days(self.below(bound) as i64)
    }

    /// A wall-clock time from 1990 to 2060; often at the end of a month.
    fn local(&mut self) -> DateTime {
        let mut date =
            Date::constant(1990, 1, 1).checked_add(self.days(25_000)).expect("in the calendar");
        if self.one_in(4) {
            date = date.last_of_month();
        }
        let minute = self.pick(&MINUTES);
        date.at((minute / 60) as i8, (minute % 60) as i8, 0, 0)
    }

    /// Seconds from a due moment to its completion. Often whole days, so that they coincide with another due
    /// moment.
    fn delay(&mut self) -> i64 {
        let days = self.pick(&DAYS_LATE);
        match self.below(8) {
            0..2 => -(self.below(DAYS_EARLY * SECONDS_PER_DAY) as i64),
            2..4 => (self.below(days + 1) * SECONDS_PER_DAY) as i64,
            _ => self.below(days * SECONDS_PER_DAY) as i64,
        }
    }

    /// Usually small.
    fn interval(&mut self) -> u64 {
        match self.below(8) {
            0..4 => 1,
            4..6 => 2,
            6 => 1 + self.below(12),
            _ => 1 + self.below(60),
        }
    }

    fn structured(&mut self) -> RuleDraft {
        let frequency = self.pick(Frequency::ALL);
        let weekly = frequency == Frequency::Weekly && self.one_in(2);
        let monthly = frequency == Frequency::Monthly && self.one_in(2);
        RuleDraft {
            frequency: Some(frequency),
            interval: Some(self.interval() as i64),
            days_of_week: weekly
                .then(|| (0..=self.below(4)).map(|_| self.below(7) as i64).collect()),
            day_of_month: monthly.then(|| 1 + self.below(31) as i64),
            month_end: Some(self.pick(MonthEnd::ALL)),
            ..RuleDraft::default()
        }
    }

    /// A rule whose parts RFC 5545 allows together.
    fn rrule(&mut self, anchor: Date) -> String {
        let frequency = self.pick(&["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]);
        let mut text = format!("FREQ={frequency}");
        let interval = self.interval();
        if interval > 1 || self.one_in(8) {
            let _ = write!(text, ";INTERVAL={interval}");
        }
        let plain = text.len();
        if self.one_in(4) {
            self.part(&mut text, "BYMONTH", 12, false);
        }
        if frequency != "WEEKLY" && self.one_in(3) {
            self.part(&mut text, "BYMONTHDAY", 31, true);
        }
        let mut has_weeks = false;
        if frequency == "YEARLY" && self.one_in(6) {
            self.part(&mut text, "BYYEARDAY", 366, true);
        } else if frequency == "YEARLY" && self.one_in(5) {
            if self.one_in(4) {
                return self.weeks_at_the_edge();
            }
            self.part(&mut text, "BYWEEKNO", EDGE_WEEK - 1, true);
            has_weeks = true;
        }
        if self.one_in(2) {
            let numbered = matches!(frequency, "MONTHLY" | "YEARLY") && !has_weeks;
            self.weekdays(&mut text, numbered);
        }
        if text.len() > plain && self.one_in(4) {
            self.part(&mut text, "BYSETPOS", 4, true);
        }
        if self.one_in(4) {
            let _ = write!(text, ";WKST={}", self.pick(&WEEKDAYS));
        }
        if self.one_in(8) {
            let _ = write!(text, ";BYHOUR={};BYMINUTE={}", self.below(24), self.below(60));
        }
        self.end(&mut text, anchor);
        text
    }

    /// Weeks that may span two years, which have their own oracle.
    fn weeks_at_the_edge(&mut self) -> String {
        let mut text = "FREQ=YEARLY".to_owned();
        let sign = self.pick(&["", "-"]);
        let week = EDGE_WEEK + self.below(2);
        let _ = write!(text, ";BYWEEKNO={},{sign}{week}", 1 + self.below(53));
        self.weekdays(&mut text, false);
        text
    }

    /// A list of one to four numbers.
    fn part(&mut self, text: &mut String, name: &str, max: u64, can_be_negative: bool) {
        let numbers: Vec<_> = (0..=self.below(4))
            .map(|_| {
                let sign = if can_be_negative && self.one_in(3) { "-" } else { "" };
                format!("{sign}{}", 1 + self.below(max))
            })
            .collect();
        let _ = write!(text, ";{name}={}", numbers.join(","));
    }

    fn weekdays(&mut self, text: &mut String, numbered: bool) {
        let days: Vec<_> = (0..=self.below(5))
            .map(|_| {
                let sign = if self.one_in(3) { "-" } else { "" };
                let number = if numbered && self.one_in(2) {
                    format!("{sign}{}", 1 + self.below(5))
                } else {
                    String::new()
                };
                format!("{number}{}", self.pick(&WEEKDAYS))
            })
            .collect();
        let _ = write!(text, ";BYDAY={}", days.join(","));
    }

    fn end(&mut self, text: &mut String, anchor: Date) {
        let end = anchor.saturating_add(self.days(2_000)).strftime("%Y%m%d").to_string();
        let _ = match self.below(8) {
            0 => write!(text, ";COUNT={}", 1 + self.below(40)),
            1 => write!(text, ";UNTIL={end}"),
            2 => write!(text, ";UNTIL={end}T{:02}3000", self.below(24)),
            3 => write!(text, ";UNTIL={end}T{:02}3000Z", self.below(24)),
            _ => Ok(()),
        };
    }
}
