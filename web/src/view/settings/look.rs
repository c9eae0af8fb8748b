//! Colours and language, which this browser keeps.

use crate::dom::*;
use crate::platform::{document, keep, kept, window};
use crate::text::{self, LANGUAGES, Text, t};

const THEME: &str = "rondo.theme";

pub fn look() -> View {
    let theme = kept(THEME).unwrap_or_default();
    let themes = [("", Text::ThemeSystem), ("light", Text::ThemeLight), ("dark", Text::ThemeDark)];
    let themes = themes.map(
        |(value, text)| view! { <option value=value selected={theme == value}>{t(text)}</option> },
    );
    let choose_theme = |event: web_sys::Event| {
        let theme = event_target_value(&event);
        keep(THEME, (!theme.is_empty()).then_some(&theme));
        if let Some(root) = document().document_element() {
            let _ = match theme.as_str() {
                "" => root.remove_attribute("data-theme"),
                theme => root.set_attribute("data-theme", theme),
            };
        }
    };
    let chosen = text::choice().unwrap_or_default();
    let is_browser = chosen.is_empty();
    let languages = LANGUAGES.map(
        |(tag, name)| view! { <option value=tag lang=tag selected={chosen == tag}>{name}</option> },
    );
    let choose_language = |event: web_sys::Event| {
        let tag = event_target_value(&event);
        text::keep_choice((!tag.is_empty()).then_some(&tag));
        let _ = window().location().reload();
    };
    let content = view! {
        <label class="field"><span>{t(Text::Theme)}</span>
            <select class="input" name="theme" on:change=choose_theme>{themes.into_iter().collect::<Vec<_>>()}</select>
        </label>
        <label class="field"><span>{t(Text::Language)}</span>
            <select class="input" name="language" on:change=choose_language>
                <option value="" selected=is_browser>{t(Text::LanguageBrowser)}</option>
                {languages.into_iter().collect::<Vec<_>>()}
            </select>
        </label>
    };
    super::card(Text::Appearance, content)
}
