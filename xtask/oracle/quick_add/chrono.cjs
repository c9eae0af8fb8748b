// Answers the questions `when` of the example `quick_add` of crates/domain with chrono-node, a line for each. An answer
// is a day, a moment, or `none`; several are joined by " + ", a range by "..".
"use strict";
const readline = require("node:readline");
const chrono = require("chrono-node");

const parsers = { en: chrono.en, de: chrono.de };
// Without a time, chrono-node implies this one or the present's.
const TIME_OF_DAYS = "12:00";

const two = (number) => String(number).padStart(2, "0");

function moment(found, now) {
  const [year, month, day, hour, minute] = ["year", "month", "day", "hour", "minute"].map((part) => found.get(part));
  const date = `${year}-${two(month)}-${two(day)}`;
  const time = `${two(hour)}:${two(minute)}`;
  const isImplied = time === TIME_OF_DAYS || now.endsWith(`T${time}`);
  return found.isCertain("hour") || !isImplied ? `${date}T${time}` : date;
}

function answer(language, now, text) {
  // Both programs calculate on the wall clock, so the zone does not matter.
  const reference = { instant: new Date(`${now}:00Z`), timezone: 0 };
  const found = parsers[language].parse(text, reference, { forwardDate: true });
  const moments = found.map(({ start, end }) => [start, end].filter(Boolean).map((each) => moment(each, now)).join(".."));
  return moments.join(" + ") || "none";
}

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const [, now, , language, text] = line.split("\t");
  console.log(answer(language, now, text));
});
