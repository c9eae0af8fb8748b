// Days in the zone of the tests' persons, which is another than that of the machine.

export const ZONE = "Europe/Berlin";
export const DAY_MS = 86_400_000;

/** Date and time of a moment, such as `2026-11-29 09:00`. */
export function local(moment) {
  const form = { timeZone: ZONE, dateStyle: "short", timeStyle: "short" };
  return new Intl.DateTimeFormat("sv-SE", form).format(new Date(moment));
}

/** A day, so many days from today, such as `2026-11-29`. */
export function day(days) {
  return local(Date.now() + days * DAY_MS).slice(0, 10);
}
