//! Icons: strokes on a grid of 24, after the person's text size.

use crate::dom::*;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Icon {
    Today,
    Upcoming,
    Month,
    Inbox,
    Check,
    Trash,
    Search,
    Settings,
    Plus,
    Tag,
    Filter,
    Menu,
    Close,
    More,
    Repeat,
    Bell,
    Clock,
    Flag,
    Steps,
    Blocked,
    Left,
    Right,
    Skip,
    Offline,
    List,
    Text,
    Start,
    Sun,
    Up,
    Down,
    Chat,
    Microphone,
}

impl Icon {
    const fn path(self) -> &'static str {
        match self {
            Self::Today => {
                "M4 6a2 2 0 0 1 2-2h12a2 2 0 0 1 2 2v12a2 2 0 0 1-2 2H6a2 2 0 0 1-2-2ZM4 9h16M8 2v4m8-4v4m-8 8 3 3 5-5"
            }
            Self::Upcoming => {
                "M4 6a2 2 0 0 1 2-2h12a2 2 0 0 1 2 2v12a2 2 0 0 1-2 2H6a2 2 0 0 1-2-2ZM4 9h16M8 2v4m8-4v4m-8 7h2m3 0h3m-8 4h2m3 0h3"
            }
            Self::Month => "M4 4h16v16H4ZM4 10h16M4 15h16M10 4v16m5-16v16",
            Self::Inbox => "M3 13 6 5h12l3 8v5a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2Zm0 0h5l2 3h4l2-3h5",
            Self::Check => "m5 12 5 5 9-10",
            Self::Trash => "M4 7h16M9 7V4h6v3m-9 0 1 13h10l1-13m-8 4v5m4-5v5",
            Self::Search => "M10.5 18a7.5 7.5 0 1 0 0-15 7.5 7.5 0 0 0 0 15Zm5.5-2 5 5",
            Self::Settings => {
                "M4 7h9m6 0h1M4 17h1m6 0h9M16 4.500a2.500 2.500 0 1 0 0 5 2.500 2.500 0 0 0 0-5ZM8 14.500a2.500 2.500 0 1 0 0 5 2.500 2.500 0 0 0 0-5Z"
            }
            Self::Plus => "M12 5v14m-7-7h14",
            Self::Tag => "m9 3-2 18M17 3l-2 18M4 8.500h17M3 15.500h17",
            Self::Filter => "M3 5h18l-7 8v6l-4 2v-8Z",
            Self::Menu => "M4 7h16M4 12h16M4 17h16",
            Self::Close => "m6 6 12 12M18 6 6 18",
            Self::More => "M5 12h.01M12 12h.01M19 12h.01",
            Self::Repeat => {
                "m17 2 4 4-4 4M3 12v-2a4 4 0 0 1 4-4h14M7 22l-4-4 4-4m14-2v2a4 4 0 0 1-4 4H3"
            }
            Self::Bell => "M6 9a6 6 0 1 1 12 0c0 7 3 8 3 8H3s3-1 3-8m4 12a2 2 0 0 0 4 0",
            Self::Clock => "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18Zm0-14v5l3 2",
            Self::Flag => "M5 21V4h12l-2 4 2 4H5",
            Self::Steps => "M10 6h11M10 12h11M10 18h11M3 6l1 1 2-2M3 12l1 1 2-2M3 18l1 1 2-2",
            Self::Blocked => "M7 3h10M7 21h10M8 3v4l4 5-4 5v4m8-18v4l-4 5 4 5v4",
            Self::Left => "m15 5-7 7 7 7",
            Self::Right => "m9 5 7 7-7 7",
            Self::Skip => "m5 5 9 7-9 7ZM19 5v14",
            Self::Offline => {
                "M3 3l18 18M9 5a14 14 0 0 1 13 4M2 9a15 15 0 0 1 4-2.500M5 13a9 9 0 0 1 5-2m5 .500a9 9 0 0 1 4 1.500M9 17a5 5 0 0 1 6 0m-3 3.500h.01"
            }
            Self::List => "M8 6h13M8 12h13M8 18h13M3.500 6h.01M3.500 12h.01M3.500 18h.01",
            Self::Text => "M4 6h16M4 11h16M4 16h10",
            Self::Start => "M12 3v12m0 0 5-5m-5 5-5-5M5 21h14",
            Self::Sun => {
                "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8Zm0-14v2m0 16v2M2 12h2m16 0h2M5 5l1.500 1.500m11 11L19 19m0-14-1.500 1.500m-11 11L5 19"
            }
            Self::Up => "m6 14 6-6 6 6",
            Self::Down => "m6 10 6 6 6-6",
            Self::Chat => "M4 5h16v11H10l-4 4v-4H4Z",
            Self::Microphone => {
                "M12 15a3 3 0 0 0 3-3V6a3 3 0 0 0-6 0v6a3 3 0 0 0 3 3Zm-6-3a6 6 0 0 0 12 0m-6 6v3"
            }
        }
    }
}

/// An icon, which says nothing to a screen reader: what it stands for has a name of its own.
pub fn icon(icon: Icon) -> View {
    sized(icon, "icon")
}

/// A smaller one, for lines of small text.
pub fn small(icon: Icon) -> View {
    sized(icon, "icon s")
}

/// One that points along the text, and turns where text runs to the left.
pub fn turning(icon: Icon) -> View {
    sized(icon, "icon turn")
}

fn sized(icon: Icon, class: &'static str) -> View {
    view! {
        <svg class=class viewBox="0 0 24 24" aria-hidden="true" focusable="false">
            <path d=icon.path() />
        </svg>
    }
}
