// What the client needs of the browser and has no small form in Rust: storage, locks, and the words for dates.
// The client calls these as `rondo.*` (web/src/platform.rs).

// The second module of the client: what the first screen does not need.
const LATER = "{{later.wasm}}";
let module;
let fetched;
let tell;
const told = new Promise((resolve) => { tell = resolve; });
told.catch(() => {});

// Fetches it, once the first screen is there.
export function fetchLater() {
  fetched ??= WebAssembly.compileStreaming(fetch(LATER, { priority: "low" })).then((compiled) => { module ??= compiled; });
  tell(fetched);
  return fetched;
}

// Waits until it is there.
export function later() {
  return told;
}

function fetchNow() {
  const request = new XMLHttpRequest();
  request.open("GET", LATER, false);
  // Bytes as they are: such a request cannot answer a buffer.
  request.overrideMimeType("text/plain; charset=x-user-defined");
  request.send();
  return Uint8Array.from(request.responseText, (byte) => byte.charCodeAt(0));
}

// Puts it in. Who wants something of it before it has come, waits.
export function enter(exports) {
  try {
    module ??= new WebAssembly.Module(fetchNow());
  } catch (error) {
    globalThis.rondoBroken(error);
    throw error;
  }
  new WebAssembly.Instance(module, { first: exports });
}

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

// Tasks are kept in parts, each a list of keys and texts, because a browser takes as long for a record as for twenty
// texts.
const PARTS = 256;

function partOf(key) {
  let sum = 0;
  for (let at = 0; at < key.length; at += 1) sum = (sum * 31 + key.charCodeAt(at)) % 65_521;
  return `tasks/${sum % PARTS}`;
}

export async function load() {
  const store = database.transaction("record").objectStore("record");
  const [keys, values] = await Promise.all([done(store.getAllKeys()), done(store.getAll())]);
  return values.flatMap((value, at) => (Array.isArray(value) ? value : [keys[at], value]));
}

// An even element is a key, the next its text, or null to forget it.
export function save(records) {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction("record", "readwrite", { durability: "strict" });
    const store = transaction.objectStore("record");
    const changed = new Map();
    for (let at = 0; at < records.length; at += 2) {
      const [key, text] = [records[at], records[at + 1]];
      if (key.startsWith("task/")) {
        const part = partOf(key);
        if (!changed.has(part)) changed.set(part, new Map());
        changed.get(part).set(key, text);
      } else if (text === null) store.delete(key);
      else store.put(text, key);
    }
    for (const [part, texts] of changed) {
      const request = store.get(part);
      request.onsuccess = () => store.put(merged(request.result ?? [], texts), part);
    }
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
  });
}

function merged(known, texts) {
  const all = new Map(texts);
  for (let at = 0; at < known.length; at += 2) if (!all.has(known[at])) all.set(known[at], known[at + 1]);
  return [...all].filter(([, text]) => text !== null).flat();
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

// As the server folds the case of text: each character by itself, so that a sigma at the end is one like any other.
export function smallLetters(text) {
  // Each step again by character, because one can become several.
  const each = (letters, step) => [...letters].map(step).join("");
  const fold = (letter) => each(each(letter.toLowerCase(), (c) => c.toUpperCase()), (c) => c.toLowerCase());
  return each(text, (letter) => (letter === "ı" ? letter : fold(letter)));
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
