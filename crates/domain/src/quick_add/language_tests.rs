use super::*;
use crate::fold::fold;

fn all(words: &Words) -> Vec<&'static str> {
    fn keys<T>(table: Table<T>) -> impl Iterator<Item = &'static str> {
        table.iter().map(|(key, _)| *key)
    }
    let (date, time, repetition) = (&words.date, &words.time, &words.repetition);
    let lists = [
        words.number.ordinal_suffixes,
        words.number.and,
        date.doubtful_months,
        date.of,
        date.article,
        date.lead,
        date.this,
        date.weekend,
        date.within,
        date.from_now,
        date.from,
        date.relating,
        time.lead,
        time.clock,
        time.before_noon,
        time.after_noon,
        time.part_lead,
        repetition.every,
        repetition.after,
        repetition.other,
        repetition.workday,
        repetition.of_month,
        repetition.of_every_month,
        repetition.range,
        repetition.from_completion,
        repetition.multiples,
        repetition.on,
        repetition.start,
        repetition.start_apart,
        repetition.until,
        repetition.during,
        repetition.long,
        repetition.times,
        words.before,
        words.title.binding,
        words.title.joining,
        words.title.linking,
        words.title.names,
    ];
    let named = date.weekdays.iter().chain(&date.short_weekdays).chain(&date.months);
    let mut all: Vec<_> = lists.iter().chain(named).flat_map(|list| list.iter().copied()).collect();
    all.extend(keys(words.number.cardinals).chain(keys(words.number.ordinals)));
    all.extend(keys(words.number.units).chain(keys(words.number.lengths)).chain(keys(date.next)));
    all.extend(keys(date.days).chain(keys(date.periods)));
    all.extend(keys(date.edges).chain(keys(date.edge_periods)).chain(keys(date.edge_words)));
    all.extend(keys(time.times).chain(keys(time.fractions)).chain(keys(time.parts)));
    all.extend(keys(time.part_adverbs).chain(keys(time.today_parts)).chain(keys(words.priorities)));
    all.extend(keys(repetition.adverbs).chain(keys(repetition.doubtful_adverbs)));
    all.push(repetition.weekday_suffix);
    all
}

#[test]
fn words_are_folded() {
    for language in Language::ALL {
        for word in all(language.words()) {
            assert_eq!(fold(word), word, "{language}");
            assert_eq!(word.split_whitespace().collect::<Vec<_>>().join(" "), word, "{language}");
            assert!(!word.is_empty(), "{language}");
        }
    }
}

#[test]
fn no_word_of_a_table_has_two_meanings() {
    fn check<T: PartialEq>(language: Language, table: Table<T>) {
        for (index, (key, _)) in table.iter().enumerate() {
            let again = table.iter().skip(index + 1).any(|(other, _)| other == key);
            assert!(!again, "{language}: {key} twice");
        }
    }
    for language in Language::ALL.iter().copied() {
        let words = language.words();
        check(language, words.number.units);
        check(language, words.number.lengths);
        check(language, words.date.next);
        check(language, words.date.periods);
        check(language, words.number.cardinals);
        check(language, words.number.ordinals);
        check(language, words.date.days);
        check(language, words.time.parts);
        let date = &words.date;
        let days: Vec<_> = date.weekdays.iter().chain(&date.short_weekdays).copied().collect();
        let names: Vec<_> = days.iter().chain(&date.months).flat_map(|list| list.iter()).collect();
        for (index, name) in names.iter().enumerate() {
            assert!(!names[index + 1..].contains(name), "{language}: {name} twice");
        }
    }
}
