//! A further language needs nothing but its words: a small table of Dutch.

use jiff::civil::time;

use super::language::{
    Adverb, DateWords, Edge, NumberWords, RepetitionWords, RuleWords, TimeWords, TitleWords, Unit,
};
use super::*;
use crate::recurrence::Frequency;

const WORDS: Words = Words {
    date: DATE,
    time: TIME,
    repetition: REPETITION,
    before: &["ervoor", "van tevoren"],
    title: TITLE,
    number: NumberWords {
        cardinals: &[("een", 1), ("twee", 2), ("drie", 3)],
        ordinals: &[("eerste", 1), ("tweede", 2), ("derde", 3), ("laatste", -1)],
        ordinal_suffixes: &["e", "ste", "de"],
        units: &[
            ("minuten", Unit::Minute),
            ("uur", Unit::Hour),
            ("dag", Unit::Day),
            ("dagen", Unit::Day),
            ("week", Unit::Week),
            ("weken", Unit::Week),
            ("maand", Unit::Month),
            ("maanden", Unit::Month),
            ("jaar", Unit::Year),
        ],
        lengths: &[("een half uur", (30, Unit::Minute))],
        and: &["en"],
    },
    priorities: &[("hoog", Priority::High)],
    reading: READING,
};

const DATE: DateWords = DateWords {
    days: &[("vandaag", 0), ("morgen", 1), ("overmorgen", 2)],
    weekdays: [
        &["maandag"],
        &["dinsdag"],
        &["woensdag"],
        &["donderdag"],
        &["vrijdag"],
        &["zaterdag"],
        &["zondag"],
    ],
    short_weekdays: [&["ma"], &["di"], &["wo"], &["do"], &["vr"], &["za"], &["zo"]],
    months: [
        &["januari"],
        &["februari"],
        &["maart"],
        &["april"],
        &["mei"],
        &["juni"],
        &["juli"],
        &["augustus"],
        &["september"],
        &["oktober"],
        &["november"],
        &["december"],
    ],
    doubtful_months: &["mei"],
    of: &["van"],
    article: &["de"],
    lead: &["op", "voor"],
    this: &["deze"],
    next: &[("volgende", 1)],
    weekend: &["weekend"],
    periods: &[("volgende week", (Unit::Week, 1)), ("volgende maand", (Unit::Month, 1))],
    edges: &[("einde van", Edge::Last)],
    edge_periods: &[("de maand", (Unit::Month, 0))],
    edge_words: &[],
    within: &["over"],
    from_now: &[],
    from: &["vanaf"],
    relating: &["na"],
    is_dotted: false,
};

const TIME: TimeWords = TimeWords {
    lead: &["om"],
    times: &[("middernacht", time(0, 0, 0, 0))],
    clock: &["uur"],
    before_noon: &[],
    after_noon: &[],
    fractions: &[("half", -30), ("kwart over", 15)],
    parts: &[("ochtend", 9), ("avond", 19)],
    part_lead: &["in de"],
    part_adverbs: &[],
    today_parts: &[("vanavond", 19)],
};

const REPETITION: RepetitionWords = RepetitionWords {
    every: &["elke", "iedere"],
    after: &["na"],
    other: &["andere"],
    adverbs: &[("dagelijks", Adverb::Every(1, Unit::Day))],
    doubtful_adverbs: &[],
    weekday_suffix: "en",
    is_weekday_noun: true,
    workday: &["werkdag"],
    of_month: &["van de maand"],
    of_every_month: &["van elke maand"],
    range: &["tot", "-"],
    on: &["op"],
    start: &["vanaf"],
    start_apart: &["vanaf"],
    until: &["tot", "t/m"],
    during: &["gedurende"],
    long: &["lang"],
    times: &["keer"],
    multiples: &["tweemaal"],
    from_completion: &["na voltooiing"],
    ordinal_is_interval: false,
};

const TITLE: TitleWords = TitleWords {
    binding: &["de", "een", "van", "over"],
    joining: &["en", "of", "tot"],
    linking: &["met", "voor"],
    names: &["goede vrijdag"],
    is_capital_telling: true,
};

const READING: ReadingWords = ReadingWords {
    weekdays: ["maandag", "dinsdag", "woensdag", "donderdag", "vrijdag", "zaterdag", "zondag"],
    months: [
        "januari",
        "februari",
        "maart",
        "april",
        "mei",
        "juni",
        "juli",
        "augustus",
        "september",
        "oktober",
        "november",
        "december",
    ],
    date: "{weekday} {day} {month} {year}",
    at: "om",
    due: "klaar",
    remind: "herinnering",
    before: "{length} ervoor",
    at_due: "op tijd",
    priority: "prioriteit",
    priorities: &[("hoog", Priority::High)],
    list: "lijst",
    tags: "tags",
    and: "en",
    description: "met beschrijving",
    lengths: [("minuut", "minuten"), ("uur", "uur"), ("dag", "dagen")],
    rule: Some(RuleWords {
        every: &[
            (Frequency::Daily, "elke dag", "elke {n} dagen"),
            (Frequency::Weekly, "elke week", "elke {n} weken"),
            (Frequency::Monthly, "elke maand", "elke {n} maanden"),
            (Frequency::Yearly, "elk jaar", "elke {n} jaar"),
        ],
        on_weekdays: " op {days}",
        from_monday_to_friday: " van maandag tot vrijdag",
        on_days: " op {days}",
        day: "de {n}e",
        last_day: "de laatste dag",
        on_date: " op {n} {month}",
        shorter_month: " of de laatste dag van een kortere maand",
        numbered_weekday: "de {nth} {weekday}",
        workday: "de {nth} werkdag",
        last: "laatste",
        nth: "{n}e",
        after_completion: " na voltooiing",
        until: ", tot {date}",
        once: ", een keer",
        times: ", {n} keer",
    }),
};

#[test]
fn a_table_of_words_is_a_language() {
    let zone = Zone::parse("Europe/Amsterdam").unwrap();
    // A Wednesday, at 10:00.
    let now = "2031-03-26T09:00:00Z".parse().unwrap();
    let check = |line: &str, title: &str, reading: &str| {
        let context =
            Context { now, zone: &zone, language: Language::English, lists: &[], ignored: &[] };
        let found = parse_in(&WORDS, line, &context).unwrap();
        assert_eq!((found.title.as_str(), &*found.reading()), (title, reading), "{line}");
    };
    check("Bob bellen morgen om 9 uur", "Bob bellen", "Klaar donderdag 27 maart 2031 om 09:00.");
    check("overmorgen Bob bellen", "Bob bellen", "Klaar vrijdag 28 maart 2031.");
    check("Bob bellen op vrijdag half 11", "Bob bellen", "Klaar vrijdag 28 maart 2031 om 10:30.");
    check("huur volgende maand", "huur", "Klaar dinsdag 1 april 2031.");
    check("huur over drie dagen #geld", "huur", "Klaar zaterdag 29 maart 2031. Tags geld.");
    check("huur 3 april 2032 !hoog", "huur", "Klaar zaterdag 3 april 2032. Prioriteit hoog.");
    check(
        "sport elke derde vrijdag om 18:00 !een half uur ervoor",
        "sport",
        "Klaar vrijdag 18 april 2031 om 18:00. Elke maand op de 3e vrijdag. Herinnering 30 minuten ervoor.",
    );
    check(
        "planten elke! 3 dagen",
        "planten",
        "Klaar woensdag 26 maart 2031. Elke 3 dagen na voltooiing.",
    );
    check(
        "krant elke werkdag tot 30 juni",
        "krant",
        "Klaar woensdag 26 maart 2031. Elke week van maandag tot vrijdag, tot maandag 30 juni 2031.",
    );
    // Titles stay whole, and English words mean nothing.
    check("brief van vrijdag", "brief van vrijdag", "");
    check("Goede Vrijdag", "Goede Vrijdag", "");
    check("call Bob tomorrow", "call Bob tomorrow", "");
}
