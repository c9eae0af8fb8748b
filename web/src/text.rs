//! The words of the client, each in every language.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::platform::{keep, kept, window};

const KEY: &str = "rondo.language";

/// Languages, by their BCP 47 tag, in the order of the columns of [`texts`].
pub const LANGUAGES: [(&str, &str); 2] = [("en", "English"), ("de", "Deutsch")];

static LANGUAGE: AtomicUsize = AtomicUsize::new(0);

/// Takes the language that the person chose, else the browser's first that is known.
pub fn choose() {
    let wanted = kept(KEY).into_iter().chain(
        window().navigator().languages().into_iter().filter_map(|language| language.as_string()),
    );
    let mut known = wanted.filter_map(|tag| {
        LANGUAGES.iter().position(|(language, _)| tag.split('-').next() == Some(language))
    });
    LANGUAGE.store(known.next().unwrap_or_default(), Ordering::Relaxed);
}

/// Keeps a choice for the next start; None follows the browser.
pub fn keep_choice(tag: Option<&str>) {
    keep(KEY, tag);
}

pub fn choice() -> Option<String> {
    kept(KEY)
}

/// The language of words, without a region.
pub fn language() -> &'static str {
    LANGUAGES[LANGUAGE.load(Ordering::Relaxed)].0
}

/// The language of dates and numbers: the browser's if it is a region of the language of words.
pub fn locale() -> String {
    let browser = window().navigator().language().unwrap_or_default();
    if browser.split('-').next() == Some(language()) { browser } else { language().to_owned() }
}

/// The words of a text. `{}` is where [`with`] puts something.
pub fn t(text: Text) -> &'static str {
    TEXTS[text as usize][LANGUAGE.load(Ordering::Relaxed)]
}

/// A text with something in the place of `{}`.
pub fn with(text: Text, value: impl ToString) -> String {
    t(text).replacen("{}", &value.to_string(), 1)
}

macro_rules! texts {
    ($($name:ident: $english:literal, $german:literal;)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Text { $($name,)* }
        const TEXTS: &[[&str; 2]] = &[$([$english, $german],)*];
    };
}

texts! {
    // The assistant.
    Assistant: "Assistant", "Assistent";
    ChatHint: "Ask for your tasks, add them or change them in your own words: \u{201c}what is due this week\u{201d}, \u{201c}move the dentist to Friday\u{201d}.", "Frage nach deinen Aufgaben, füge sie hinzu oder ändere sie in deinen Worten: \u{201e}Was ist diese Woche fällig?\u{201c}, \u{201e}Verschiebe den Zahnarzt auf Freitag\u{201c}.";
    Conversation: "Conversation", "Gespräch";
    NewConversation: "New conversation", "Neues Gespräch";
    DeleteConversation: "Delete conversation", "Gespräch löschen";
    Message: "Message", "Nachricht";
    Send: "Send", "Senden";
    Speak: "Speak", "Sprechen";
    Proposal: "Proposal", "Vorschlag";
    ModelUnavailable: "The language model does not answer now; this answer is by fixed rules.", "Das Sprachmodell antwortet gerade nicht; diese Antwort folgt festen Regeln.";
    TokensUsedUp: "Today's share of the language model is used up; this answer is by fixed rules.", "Der heutige Anteil am Sprachmodell ist verbraucht; diese Antwort folgt festen Regeln.";
    ShareHint: "This server has a language model. It sees none of your tasks until you allow it.", "Dieser Server hat ein Sprachmodell. Es sieht keine deiner Aufgaben, bevor du es erlaubst.";
    ShareWithModel: "Let the language model read my tasks", "Das Sprachmodell darf meine Aufgaben lesen";
    Sessions: "Sessions", "Sitzungen";
    SessionsHint: "Where you are signed in. A session that you end is over within minutes.", "Wo du angemeldet bist. Eine Sitzung, die du beendest, ist in wenigen Minuten vorbei.";
    ThisSession: "this one", "diese hier";
    UnknownProgram: "Unknown program", "Unbekanntes Programm";
    LastUsed: "last used {}", "zuletzt benutzt {}";
    // Places.
    Today: "Today", "Heute";
    Upcoming: "Upcoming", "Demnächst";
    Month: "Month", "Monat";
    Inbox: "Inbox", "Eingang";
    Completed: "Completed", "Erledigt";
    Trash: "Trash", "Papierkorb";
    Lists: "Lists", "Listen";
    Filters: "Filters", "Filter";
    Tags: "Tags", "Schlagwörter";
    Search: "Search", "Suchen";
    Settings: "Settings", "Einstellungen";
    Places: "Places", "Orte";
    Menu: "Menu", "Menü";
    SkipToTasks: "Skip to the tasks", "Zu den Aufgaben";
    // Lists of tasks.
    Overdue: "Overdue", "Überfällig";
    Tomorrow: "Tomorrow", "Morgen";
    Yesterday: "Yesterday", "Gestern";
    NothingToday: "Nothing left for today", "Für heute ist alles getan";
    NothingTodayHint: "Enjoy it, or press q to add something.", "Genieß es, oder füge mit q etwas hinzu.";
    NothingHere: "Nothing here yet", "Noch nichts hier";
    NothingHereHint: "Add a task above, or press q anywhere.", "Füge oben eine Aufgabe hinzu, oder drücke q.";
    NothingCompleted: "Nothing completed yet", "Noch nichts erledigt";
    NothingFound: "Nothing found", "Nichts gefunden";
    NothingFoundHint: "Try fewer or other words.", "Versuche weniger oder andere Wörter.";
    TrashEmpty: "The trash is empty", "Der Papierkorb ist leer";
    TrashHint: "Deleted tasks can be restored for 30 days.", "Gelöschte Aufgaben lassen sich 30 Tage lang wiederherstellen.";
    Loading: "Loading…", "Lädt …";
    OneTask: "1 task", "1 Aufgabe";
    ManyTasks: "{} tasks", "{} Aufgaben";
    NoList: "There is no such list.", "Diese Liste gibt es nicht.";
    // Quick add.
    AddTask: "Add a task", "Aufgabe hinzufügen";
    Add: "Add", "Hinzufügen";
    TakeLiterally: "Take “{}” as text", "„{}“ als Text nehmen";
    TakeAsMeant: "Understand “{}” again", "„{}“ wieder verstehen";
    NextDates: "Next: {}", "Nächste: {}";
    // A task.
    Task: "Task", "Aufgabe";
    Title: "Title", "Titel";
    Description: "Description", "Beschreibung";
    Priority: "Priority", "Priorität";
    Urgent: "Urgent", "Dringend";
    High: "High", "Hoch";
    Medium: "Medium", "Mittel";
    Low: "Low", "Niedrig";
    None: "None", "Keine";
    Due: "Due", "Fällig";
    Start: "Start", "Beginn";
    List: "List", "Liste";
    Reminder: "Reminder", "Erinnerung";
    Repeat: "Repeat", "Wiederholung";
    Pending: "Open", "Offen";
    InMinutes: "minutes", "Minuten";
    InAWeek: "In a week", "In einer Woche";
    EndOfMonth: "End of the month", "Monatsende";
    AndMore: "+{}", "+{}";
    Estimate: "Estimate", "Aufwand";
    Steps: "Steps", "Schritte";
    AddStep: "Add a step", "Schritt hinzufügen";
    BlockedBy: "Waits for", "Wartet auf";
    AddBlocker: "Add a task that has to come first", "Aufgabe, die zuerst dran ist";
    InProgress: "In progress", "In Arbeit";
    Blocked: "Waiting", "Wartet";
    History: "History", "Verlauf";
    ShowHistory: "Show history", "Verlauf zeigen";
    Complete: "Complete", "Erledigen";
    CompleteOf: "Complete “{}”", "„{}“ erledigen";
    ReopenOf: "Reopen “{}”", "„{}“ wieder öffnen";
    Reopen: "Reopen", "Wieder öffnen";
    Skip: "Skip this time", "Diesmal überspringen";
    Delete: "Delete", "Löschen";
    DeleteForever: "Delete forever", "Endgültig löschen";
    Restore: "Restore", "Wiederherstellen";
    Duplicate: "Duplicate", "Duplizieren";
    More: "More", "Mehr";
    Close: "Close", "Schließen";
    Cancel: "Cancel", "Abbrechen";
    Save: "Save", "Speichern";
    Create: "Create", "Anlegen";
    Edit: "Edit", "Bearbeiten";
    Archive: "Archive", "Archivieren";
    Unarchive: "Take out of the archive", "Aus dem Archiv holen";
    Name: "Name", "Name";
    Color: "Colour", "Farbe";
    AddTag: "Add a tag", "Schlagwort hinzufügen";
    Created: "Created", "Angelegt";
    NotFound: "This task is not here. It may have been deleted.", "Diese Aufgabe gibt es hier nicht. Vielleicht wurde sie gelöscht.";
    // Dates.
    Date: "Date", "Datum";
    Time: "Time", "Uhrzeit";
    NextWeek: "Next week", "Nächste Woche";
    ThisWeekend: "This weekend", "Am Wochenende";
    InWords: "In words, such as “fri 9am”", "In Worten, etwa „fr 9 Uhr“";
    NotUnderstood: "That is no date that Rondo understands.", "Das versteht Rondo nicht als Datum.";
    ClearDate: "No date", "Kein Datum";
    PreviousMonth: "Previous month", "Voriger Monat";
    NextMonth: "Next month", "Nächster Monat";
    Reschedule: "Reschedule", "Verschieben";
    Snooze: "Snooze", "Später erinnern";
    SnoozeMinutes: "In {} minutes", "In {} Minuten";
    SnoozeHour: "In {} hour", "In {} Stunde";
    SnoozeHours: "In {} hours", "In {} Stunden";
    AtDue: "When it is due", "Zur Fälligkeit";
    Before: "{} before", "{} vorher";
    RemoveReminder: "Remove the reminder", "Erinnerung entfernen";
    NeedsDue: "A reminder needs a due date.", "Eine Erinnerung braucht eine Fälligkeit.";
    HourBefore: "1 hour before", "1 Stunde vorher";
    DayBefore: "1 day before", "1 Tag vorher";
    TenMinutesBefore: "10 minutes before", "10 Minuten vorher";
    HalfHourBefore: "30 minutes before", "30 Minuten vorher";
    WeekBefore: "1 week before", "1 Woche vorher";
    ReminderInWords: "In words, such as “30 min before”", "In Worten, etwa „30 Min vorher“";
    // Recurrence.
    Never: "Never", "Nie";
    Frequency: "Frequency", "Häufigkeit";
    Daily: "Daily", "Täglich";
    Weekly: "Weekly", "Wöchentlich";
    Monthly: "Monthly", "Monatlich";
    Yearly: "Yearly", "Jährlich";
    Interval: "Every", "Alle";
    Weekdays: "On", "Am";
    DayOfMonth: "Day of the month", "Tag im Monat";
    Ends: "Ends", "Endet";
    EndsOn: "On a date", "An einem Datum";
    EndsAfter: "After a number of times", "Nach einer Anzahl";
    Times: "Times", "Anzahl";
    FromCompletion: "Count from completion", "Ab dem Erledigen zählen";
    OwnRule: "Rule (RFC 5545)", "Regel (RFC 5545)";
    NextTen: "Next dates", "Nächste Termine";
    ScopeQuestion: "Change which occurrences?", "Welche Termine ändern?";
    ScopeOfDate: "A new date moves", "Ein neues Datum verschiebt";
    ScopeThis: "Only this one", "Nur diesen";
    ScopeFuture: "This and all after it", "Diesen und alle danach";
    ScopeAll: "The whole series", "Die ganze Serie";
    // Several at once.
    Selected: "{} selected", "{} ausgewählt";
    ClearSelection: "Clear the selection", "Auswahl aufheben";
    MoveTo: "Move to", "Verschieben nach";
    // Changes.
    Undo: "Undo", "Rückgängig";
    Redo: "Redo", "Wiederholen";
    Undone: "Undone", "Rückgängig gemacht";
    Redone: "Done again", "Wiederhergestellt";
    TaskAdded: "“{}” added", "„{}“ hinzugefügt";
    TaskCompleted: "“{}” completed", "„{}“ erledigt";
    TaskReopened: "“{}” is open again", "„{}“ ist wieder offen";
    TaskDeleted: "“{}” deleted", "„{}“ gelöscht";
    TaskMoved: "“{}” moved", "„{}“ verschoben";
    TaskChanged: "“{}” changed", "„{}“ geändert";
    TaskSkipped: "“{}” skipped this time", "„{}“ diesmal übersprungen";
    TaskRestored: "“{}” restored", "„{}“ wiederhergestellt";
    TasksChanged: "{} tasks changed", "{} Aufgaben geändert";
    ListDeleted: "“{}” deleted", "„{}“ gelöscht";
    // What went wrong.
    Refused: "“{}” was not changed: ", "„{}“ wurde nicht geändert: ";
    ConflictLost: "“{}” was changed elsewhere after your edit.", "„{}“ wurde nach deiner Änderung anderswo geändert.";
    ConflictReplaced: "Your edit of “{}” replaced one made elsewhere.", "Deine Änderung an „{}“ hat eine andere ersetzt.";
    ConflictGone: "“{}” was deleted elsewhere while you edited it.", "„{}“ wurde anderswo gelöscht, während du sie bearbeitet hast.";
    ConflictKept: "“{}” was changed elsewhere, so it was not deleted.", "„{}“ wurde anderswo geändert und deshalb nicht gelöscht.";
    NotUndone: "“{}” has changed since, so it was not undone.", "„{}“ hat sich seither geändert und wurde nicht zurückgesetzt.";
    TakeMine: "Take mine", "Meine nehmen";
    TakeTheirs: "Take theirs", "Die andere nehmen";
    TryAgain: "Try again", "Noch einmal";
    DeleteAnyway: "Delete anyway", "Trotzdem löschen";
    Dismiss: "Dismiss", "Ausblenden";
    // Synchronization.
    Synced: "Up to date", "Aktuell";
    Syncing: "Syncing…", "Gleicht ab …";
    Offline: "Offline", "Offline";
    OfflineOne: "Offline. 1 change waits.", "Offline. 1 Änderung wartet.";
    OfflineMany: "Offline. {} changes wait.", "Offline. {} Änderungen warten.";
    OfflineHint: "Everything you do is kept here and sent later.", "Alles, was du tust, bleibt hier und wird später gesendet.";
    NewVersion: "There is a new version.", "Es gibt eine neue Version.";
    Reload: "Reload", "Neu laden";
    StorageFull: "This browser keeps nothing for Rondo. Changes are lost if you close it before they are sent.", "Dieser Browser speichert nichts für Rondo. Änderungen gehen verloren, wenn du ihn vorher schließt.";
    // The door.
    SignIn: "Sign in", "Anmelden";
    SignOut: "Sign out", "Abmelden";
    Register: "Create an account", "Konto anlegen";
    Email: "E-mail", "E-Mail";
    Password: "Password", "Passwort";
    PasswordHint: "At least 8 characters", "Mindestens 8 Zeichen";
    ForgotPassword: "Forgot your password?", "Passwort vergessen?";
    SendLink: "Send a link", "Link senden";
    LinkSent: "If there is an account with this address, a link is on its way.", "Wenn es ein Konto mit dieser Adresse gibt, ist ein Link unterwegs.";
    NewPassword: "New password", "Neues Passwort";
    ChangePassword: "Change the password", "Passwort ändern";
    PasswordChanged: "The password has been changed.", "Das Passwort wurde geändert.";
    ConfirmAddress: "Confirm your e-mail address", "E-Mail-Adresse bestätigen";
    Confirm: "Confirm", "Bestätigen";
    Verified: "Your e-mail address is confirmed.", "Deine E-Mail-Adresse ist bestätigt.";
    ToSignIn: "Go to sign in", "Zur Anmeldung";
    ToTasks: "Go to the tasks", "Zu den Aufgaben";
    HaveAccount: "I have an account", "Ich habe ein Konto";
    NoAnswer: "The server cannot be reached. Try again when you are online.", "Der Server ist nicht erreichbar. Versuch es noch einmal, wenn du online bist.";
    Tagline: "Tasks that recur, remind and are in sync everywhere.", "Aufgaben, die wiederkehren, erinnern und überall gleich sind.";
    SignedOutHint: "Your session is over. Sign in again; your changes are kept here.", "Deine Sitzung ist abgelaufen. Melde dich wieder an; deine Änderungen sind hier gespeichert.";
    UnsentQuestion: "{} changes have not been sent and would be lost. Sign out?", "{} Änderungen sind noch nicht gesendet und gingen verloren. Abmelden?";
    // Settings.
    Account: "Account", "Konto";
    Appearance: "Appearance", "Aussehen";
    Theme: "Theme", "Farben";
    ThemeSystem: "As the system", "Wie das System";
    ThemeLight: "Light", "Hell";
    ThemeDark: "Dark", "Dunkel";
    Language: "Language", "Sprache";
    LanguageBrowser: "As the browser", "Wie der Browser";
    TimeZone: "Time zone", "Zeitzone";
    YourZoneIs: "This device is in {}.", "Dieses Gerät ist in {}.";
    UseThisZone: "Use it", "Übernehmen";
    ZoneDiffers: "Your account is in {}, this device is not.", "Dein Konto ist in {}, dieses Gerät nicht.";
    Notifications: "Notifications", "Benachrichtigungen";
    EmailReminders: "Reminders by e-mail", "Erinnerungen per E-Mail";
    Digest: "Daily digest at", "Tagesübersicht um";
    DayReminderTime: "Reminders of a day without a time count from", "Erinnerungen an Tage ohne Uhrzeit zählen ab";
    CompleteSteps: "Completing a task completes its steps", "Beim Erledigen auch die Schritte erledigen";
    Deliveries: "Deliveries", "Zustellungen";
    Tokens: "API tokens", "API-Schlüssel";
    TokensHint: "For programs and assistants that act for you.", "Für Programme und Assistenten, die für dich handeln.";
    TokenOnce: "Copy the token now. It is not shown again.", "Kopiere den Schlüssel jetzt. Er wird nicht noch einmal gezeigt.";
    TokenName: "What it is for", "Wofür er ist";
    MayRead: "May read tasks", "Darf Aufgaben lesen";
    MayWrite: "May change tasks", "Darf Aufgaben ändern";
    MayAudit: "May read the audit log", "Darf das Protokoll lesen";
    Webhooks: "Webhooks", "Webhooks";
    WebhooksHint: "Rondo posts events to these addresses.", "Rondo sendet Ereignisse an diese Adressen.";
    WebhookUrl: "Address (https)", "Adresse (https)";
    SecretOnce: "Copy the secret now. It signs the requests and is not shown again.", "Kopiere das Geheimnis jetzt. Es unterschreibt die Anfragen und wird nicht noch einmal gezeigt.";
    SendTest: "Send a test", "Test senden";
    TestSent: "A test is on its way.", "Ein Test ist unterwegs.";
    Export: "Export", "Export";
    ExportHint: "All tasks, lists and filters as JSON.", "Alle Aufgaben, Listen und Filter als JSON.";
    ExportButton: "Download", "Herunterladen";
    NotVerified: "Your address is not confirmed yet.", "Deine Adresse ist noch nicht bestätigt.";
    ResendLink: "Send the link again", "Link noch einmal senden";
    Saved: "Saved", "Gespeichert";
    CurrentPassword: "Current password", "Bisheriges Passwort";
    // Lists, filters, tags.
    NewList: "New list", "Neue Liste";
    NewFilter: "New filter", "Neuer Filter";
    SaveAsFilter: "Save as filter", "Als Filter speichern";
    DeleteListQuestion: "Delete the list “{}”?", "Die Liste „{}“ löschen?";
    DeleteTasksToo: "Delete its tasks, too", "Auch ihre Aufgaben löschen";
    KeepTasks: "Keep its tasks in the inbox", "Ihre Aufgaben in den Eingang";
    Query: "Query", "Abfrage";
    QueryHint: "Parameters of the list, such as priority=high&due_date_end=%2B7d", "Parameter der Liste, etwa priority=high&due_date_end=%2B7d";
    Status: "Status", "Status";
    DueUntil: "Due until", "Fällig bis";
    Any: "Any", "Beliebig";
    MoveUp: "Move up", "Nach oben";
    MoveDown: "Move down", "Nach unten";
    // Keys.
    Keys: "Keyboard shortcuts", "Tastenkürzel";
    KeyAdd: "Add a task", "Aufgabe hinzufügen";
    KeySearch: "Search", "Suchen";
    KeyNext: "Next task", "Nächste Aufgabe";
    KeyPrevious: "Previous task", "Vorige Aufgabe";
    KeyComplete: "Complete or reopen", "Erledigen oder wieder öffnen";
    KeyOpen: "Open the task", "Aufgabe öffnen";
    KeySchedule: "Schedule", "Termin setzen";
    KeyPick: "Select", "Auswählen";
    KeyPriority: "Priority", "Priorität";
    KeyTags: "Tags", "Schlagwörter";
    KeyGoToday: "Go to Today", "Zu Heute";
    KeyGoUpcoming: "Go to Upcoming", "Zu Demnächst";
    KeyGoInbox: "Go to the inbox", "Zum Eingang";
    KeyMove: "Move in its order", "In der Reihenfolge verschieben";
    KeyDay: "A day earlier or later", "Einen Tag früher oder später";
    KeyDelete: "Delete", "Löschen";
    KeyUndo: "Undo, redo", "Rückgängig, wiederholen";
    KeyHelp: "Show this", "Das hier zeigen";
    // Announcements.
    NewTask: "New task: {}", "Neue Aufgabe: {}";
}
