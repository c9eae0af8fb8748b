//! Templates: fixed words with places for any others, such as `mark {task} as? done|finished`.
//!
//! `|` separates words of which one stands there, `?` follows those that may be missing, and a name in braces stands
//! for one word or more.

use std::ops::Range;

use super::text::Text;

/// Maximum number of ways in which one template fits.
const FITS_MAX: usize = 16;
/// Maximum number of comparisons for one template.
const STEPS_MAX: usize = 20_000;

/// The words that stand in a template's places.
pub type Places<'t> = Vec<(&'t str, Range<usize>)>;

enum Part<'t> {
    Words { any: Vec<&'t str>, is_optional: bool },
    Place(&'t str),
}

/// The ways in which a template fits a whole text. The earlier a place is in the template, the longer it is in the first
/// of them.
pub fn fits<'t>(template: &'t str, text: &Text<'_>) -> Vec<Places<'t>> {
    let parts: Vec<_> = template.split(' ').map(part).collect();
    let mut search = Search { parts: &parts, text, steps: 0, taken: Vec::new(), found: Vec::new() };
    search.go(0, 0);
    search.found
}

fn part(written: &str) -> Part<'_> {
    if let Some(name) = written.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        return Part::Place(name);
    }
    let words = written.strip_suffix('?');
    let any = words.unwrap_or(written).split('|').collect();
    Part::Words { any, is_optional: words.is_some() }
}

struct Search<'s, 't, 'm> {
    parts: &'s [Part<'t>],
    text: &'s Text<'m>,
    steps: usize,
    taken: Places<'t>,
    found: Vec<Places<'t>>,
}

impl Search<'_, '_, '_> {
    fn go(&mut self, part: usize, at: usize) {
        self.steps += 1;
        if self.steps > STEPS_MAX || self.found.len() >= FITS_MAX {
            return;
        }
        let parts = self.parts;
        match parts.get(part) {
            None if at == self.text.len() => self.found.push(self.taken.clone()),
            None => {}
            Some(Part::Words { any, is_optional }) => {
                if any.contains(&self.text.word(at)) {
                    self.go(part + 1, at + 1);
                }
                if *is_optional {
                    self.go(part + 1, at);
                }
            }
            Some(Part::Place(name)) => {
                let shortest =
                    if part + 1 == parts.len() { self.text.len().max(at + 1) } else { at + 1 };
                for end in (shortest..=self.text.len()).rev() {
                    self.taken.push((name, at..end));
                    self.go(part + 1, end);
                    self.taken.pop();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(template: &str, message: &str, expected: &[&[(&str, &str)]]) {
        let text = Text::new(message);
        let found = fits(template, &text);
        let found: Vec<Vec<_>> = found
            .into_iter()
            .map(|places| {
                places.into_iter().map(|(name, words)| (name, text.slice(words))).collect()
            })
            .collect();
        assert_eq!(found, expected, "{template}: {message}");
    }

    #[test]
    fn templates_fit() {
        check("mark {x} as? done|over", "Mark the rent done!", &[&[("x", "the rent")]]);
        check(
            "mark {x} as? done|over",
            "mark rent as over",
            &[&[("x", "rent as")], &[("x", "rent")]],
        );
        check("mark {x} as? done", "mark done", &[]);
        check("{x} is done", "it is done now", &[]);
        let twice: &[&[(&str, &str)]] =
            &[&[("x", "a to b"), ("y", "c")], &[("x", "a"), ("y", "b to c")]];
        check("move {x} to {y}", "move a to b to c", twice);
        check("help", "Help?", &[&[]]);
    }

    #[test]
    fn the_work_is_bounded() {
        let message = "a b ".repeat(1_000);
        assert!(fits("{x} a? {y} b {z} c", &Text::new(&message)).is_empty());
    }
}
