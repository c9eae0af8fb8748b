//! Separates the words of a connection string about TLS from the rest, because tokio-postgres supports
//! neither `verify-full` nor `sslrootcert`.

use percent_encoding::percent_decode_str;

use super::DsnError;

/// The words found.
type Words = Vec<(String, String)>;

/// Separates them from a URL's query.
pub(super) fn split_url(text: &str) -> (String, Words) {
    let authority_end = text.rfind('@').unwrap_or(0);
    let Some(question) = text[authority_end..].find('?').map(|place| place + authority_end) else {
        return (text.to_owned(), Vec::new());
    };
    let mut words = Vec::new();
    let mut rest = Vec::new();
    for pair in text[question + 1..].split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some((key, value)) if is_tls_word(key) => {
                words.push((
                    key.to_owned(),
                    percent_decode_str(value).decode_utf8_lossy().into_owned(),
                ));
            }
            _ => rest.push(pair),
        }
    }
    let mut url = text[..question].to_owned();
    if !rest.is_empty() {
        url.push('?');
        url.push_str(&rest.join("&"));
    }
    (url, words)
}

/// Separates them from `key=value` words. A value may be quoted; a backslash escapes.
pub(super) fn split_words(text: &str) -> Result<(String, Words), DsnError> {
    let mut words = Vec::new();
    let mut rest = String::new();
    let mut characters = text.char_indices().peekable();
    while let Some((start, _)) =
        characters.by_ref().find(|(_, character)| !character.is_whitespace())
    {
        let equals =
            characters.by_ref().find(|(_, character)| *character == '=').ok_or(DsnError::Words)?.0;
        while characters.next_if(|(_, character)| character.is_whitespace()).is_some() {}
        let quoted = characters.next_if(|(_, character)| *character == '\'').is_some();
        let mut value = String::new();
        let mut end = text.len();
        let mut closed = !quoted;
        while let Some((place, character)) = characters.next() {
            match character {
                '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
                '\'' if quoted => {
                    (end, closed) = (place + 1, true);
                    break;
                }
                space if !quoted && space.is_whitespace() => {
                    end = place;
                    break;
                }
                plain => value.push(plain),
            }
        }
        if !closed {
            return Err(DsnError::Words);
        }
        let key = text[start..equals].trim();
        if is_tls_word(key) {
            words.push((key.to_owned(), value));
        } else {
            rest.push_str(&text[start..end]);
            rest.push(' ');
        }
    }
    Ok((rest, words))
}

fn is_tls_word(key: &str) -> bool {
    matches!(key, "sslmode" | "sslrootcert")
}
