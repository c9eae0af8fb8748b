// What the client needs of the browser and has no small form in Rust: storage, locks, and the words for dates.
// The client calls these as `rondo.*` (web/src/platform.rs).

// One store of texts by key. A change is one transaction.
let database;

function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

export async function open(name) {
  const request = indexedDB.open(name, 1);
  request.onupgradeneeded = () => request.result.createObjectStore("record");
  database = await done(request);
  // Another tab that signs out deletes it.
  database.onversionchange = () => database.close();
}

export async function load() {
  const store = database.transaction("record").objectStore("record");
  const [keys, values] = await Promise.all([done(store.getAllKeys()), done(store.getAll())]);
  return keys.flatMap((key, at) => [key, values[at]]);
}

// An even element is a key, the next its text, or null to forget it.
export function save(records) {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction("record", "readwrite", { durability: "strict" });
    const store = transaction.objectStore("record");
    for (let at = 0; at < records.length; at += 2) {
      if (records[at + 1] === null) store.delete(records[at]);
      else store.put(records[at + 1], records[at]);
    }
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
  });
}

export async function drop(name) {
  database?.close();
  await done(indexedDB.deleteDatabase(name));
}

// Calls back once this tab is the one that talks to the server, and keeps it so until the tab is closed.
export function lead(name, callback) {
  if (!navigator.locks) return callback();
  navigator.locks.request(name, () => {
    callback();
    return new Promise(() => {});
  });
}

export function locked(name, work) {
  return navigator.locks ? navigator.locks.request(name, work) : work();
}

export function channel(name, receive) {
  const channel = new BroadcastChannel(name);
  channel.onmessage = (event) => receive(event.data);
  return channel;
}

export async function bytes(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error(response.status);
  return response.arrayBuffer();
}

export function random(count) {
  return crypto.getRandomValues(new Uint8Array(count));
}

const formats = new Map();

const FORMS = {
  time: { hour: "numeric", minute: "2-digit" },
  day: { weekday: "long", day: "numeric", month: "long" },
  dayYear: { weekday: "long", day: "numeric", month: "long", year: "numeric" },
  short: { day: "numeric", month: "short" },
  shortYear: { day: "numeric", month: "short", year: "numeric" },
  weekday: { weekday: "long" },
  weekdayShort: { weekday: "short" },
  weekdayDay: { weekday: "short", day: "numeric", month: "short" },
  month: { month: "long", year: "numeric" },
  full: { dateStyle: "full", timeStyle: "short" },
  medium: { dateStyle: "medium", timeStyle: "short" },
};

function format(language, zone, form) {
  const key = `${language} ${zone} ${form}`;
  let known = formats.get(key);
  if (!known) {
    known = new Intl.DateTimeFormat(language, { ...FORMS[form], timeZone: zone });
    formats.set(key, known);
  }
  return known;
}

export function date(language, zone, form, milliseconds) {
  return format(language, zone, form).format(milliseconds);
}

export function number(language, value) {
  return new Intl.NumberFormat(language).format(value);
}

// "3 hours".
export function amount(language, value, unit) {
  return new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "long" }).format(value);
}

export function relative(language, value, unit) {
  return new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "long" }).format(value, unit);
}

export function timeZone() {
  return Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
}

export function timeZones() {
  return Intl.supportedValuesOf ? Intl.supportedValuesOf("timeZone") : [];
}

// Sunday is 7, as in ISO 8601.
export function firstDay(language) {
  const locale = new Intl.Locale(language);
  return (locale.getWeekInfo?.() ?? locale.weekInfo)?.firstDay ?? 1;
}

// A turn of the chat. Calls back with the name and the data of each event, as they come.
export async function converse(token, body, receive) {
  const response = await fetch("/api/chat", {
    method: "POST",
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json", Accept: "text/event-stream" },
    body,
  });
  if (!response.ok) return receive("problem", await response.text());
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ""; ;) {
    const { done, value } = await reader.read();
    if (done) return;
    const events = (rest + value).split("\n\n");
    rest = events.pop();
    for (const event of events) receive(...event.split("\n").map((line) => line.slice(line.indexOf(": ") + 2)));
  }
}

const Recognition = globalThis.SpeechRecognition ?? globalThis.webkitSpeechRecognition;
let recognition;

export function canListen() {
  return Recognition !== undefined;
}

// Calls back with all words so far, and at the end with true.
export function listen(language, hear) {
  recognition = new Recognition();
  recognition.lang = language;
  recognition.interimResults = true;
  recognition.onresult = (event) => hear([...event.results].map((result) => result[0].transcript).join(""), false);
  recognition.onend = () => hear("", true);
  recognition.start();
}

export function hush() {
  recognition?.stop();
}

export function download(name, type, text) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
