// What everyone has to be able to use: each page and each dialog by axe in light and dark, at 320 px, at 200 %, from
// right to left, and without motion.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { day } from "./day.mjs";
import { require, scenario } from "./stage.mjs";

const AXE = await readFile(require.resolve("axe-core/axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

/** An account in which every page has something to show. */
async function furnish(stage) {
  const api = await stage.register();
  const list = await api.post("/api/lists", { name: "Errands", color: "#1a7448" });
  await api.post("/api/filters", { name: "Urgent", query: "priority=urgent" });
  const late = await api.create({ title: "Pay the rent", due_day: day(-2), priority: "urgent", tags: ["home"] });
  await api.create({ title: "Water the plants", due_day: day(0), tags: ["home"], estimate: 10, list_id: list.id,
    recurrence_rule: { frequency: "daily" } });
  // Two on one day, also when an hour ago was yesterday.
  await api.create({ title: "Buy bread", due_day: day(0) });
  // An hour ago, so that it is in Today at any time of day.
  await api.create({ title: "Call Grace", due_date: new Date(Date.now() - 3_600_000).toISOString(),
    reminder_offset: "PT1H", priority: "high", blocked_by: [late.id] });
  await api.create({ title: "Read the report", description: "The long one.", list_id: list.id });
  await api.create({ title: "First step", subtask_of: late.id });
  const done = await api.create({ title: "Buy milk" });
  await api.post(`/api/tasks/${done.id}/complete`);
  const gone = await api.create({ title: "Old plan" });
  await api.call("DELETE", `/api/tasks/${gone.id}`);
  await api.call("PUT", "/api/tags/home", { name: "home", color: "#b42318" });
  await api.post("/api/auth/tokens", { name: "Script", scopes: ["tasks:read"] });
  return { list: list.id, filter: (await api.get("/api/filters"))[0].id };
}

/** Each place, and how it looks when it is there. */
function places({ list, filter }) {
  return {
    "#/today": "Water the plants",
    "#/upcoming": "Water the plants",
    "#/month": "Water the plants",
    "#/inbox": "Pay the rent",
    [`#/list/${list}`]: "Read the report",
    [`#/filter/${filter}`]: "Pay the rent",
    "#/tag/home": "Pay the rent",
    "#/search/rent": "Pay the rent",
    "#/search": "Search",
    "#/completed": "Buy milk",
    "#/trash": "Old plan",
    "#/settings": "Script",
  };
}

/** What opens over a page, by what a person does; Escape closes it. */
const OVERLAYS = {
  "the panel of a task": async (client) => client.open("Pay the rent"),
  "the panel of a task that repeats": async (client) => client.open("Water the plants"),
  "the history": async (client) => {
    await client.open("Pay the rent");
    await client.page.getByRole("button", { name: "Show history" }).click();
    await client.page.locator(".history li").first().waitFor();
  },
  "the menu of a task": async (client) => {
    await client.row("Pay the rent").hover();
    await client.row("Pay the rent").getByRole("button", { name: "More: Pay the rent" }).click();
  },
  "the dates": async (client) => focusAnd(client, "t", ".calendar"),
  "the priorities": async (client) => focusAnd(client, "p", ".menu"),
  "the tags": async (client) => focusAnd(client, "#", ".menu"),
  "the lists": async (client) => focusAnd(client, "l", ".menu"),
  "the reminders": async (client) => {
    await client.open("Call Grace");
    await client.part("Reminder");
  },
  "the recurrence": async (client) => {
    await client.open("Water the plants");
    await client.part("Repeat");
    await client.dialog().locator("ol li").first().waitFor();
  },
  "the question which occurrences": async (client) => {
    await client.act("Water the plants", "Delete");
    await client.dialog().waitFor();
  },
  "the assistant": async (client) => {
    await pressAndWait(client, "a", ".chat");
    await client.page.fill("[name=message]", "delete pay the rent");
    await client.page.press("[name=message]", "Enter");
    await client.page.locator(".proposal").last().waitFor();
  },
  "the keys": async (client) => pressAndWait(client, "?", "dialog[open]"),
  "the new list": async (client) => clickAndWait(client, "New list"),
  "the new filter": async (client) => clickAndWait(client, "New filter"),
  "the account menu": async (client) => client.page.getByRole("button", { name: "Account" }).click(),
  "the selection": async (client) => {
    await focusAnd(client, "x", ".picked-bar");
  },
  "the quick-add line": async (client) => {
    await client.page.fill("#quick-add", "Team standup every Monday at 10 AM p1 #work !1 hour before");
    await client.page.locator(".quick .chip").first().waitFor();
  },
  "a message": async (client) => {
    await client.page.fill("#quick-add", "A task for a message");
    await client.page.press("#quick-add", "Enter");
    await client.toast("added").waitFor();
  },
};

async function pressAndWait(client, key, selector) {
  await client.keyboard.press(key);
  await client.page.locator(selector).first().waitFor();
}

async function focusAnd(client, key, selector) {
  await client.row("Pay the rent").locator("a.title").focus();
  await pressAndWait(client, key, selector);
}

async function clickAndWait(client, name) {
  await client.page.getByRole("button", { name, exact: true }).click();
  await client.dialog().waitFor();
}

/** A fresh view of Today. */
async function home(client) {
  await client.go("#/today");
  await client.page.reload();
  await client.row("Pay the rent").waitFor();
}

async function show(client, place, text) {
  await client.go(place);
  await client.page.locator("main", { hasText: text }).waitFor();
}

/** Violations of the rules, as short texts. */
async function violations(page) {
  await page.evaluate(AXE);
  const found = await page.evaluate(async (rules) => {
    const result = await globalThis.axe.run(document, { runOnly: rules, resultTypes: ["violations"] });
    return result.violations.map(({ id, help, nodes }) => ({ id, help, nodes: nodes.map((n) => `${n.html.slice(0, 160)} ${n.any.map((a) => a.message).join(" ")}`) }));
  }, RULES);
  return found.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.length} times, first ${nodes.slice(0, 3).join(" | ")}`);
}

for (const colorScheme of ["light", "dark"]) {
  scenario(`axe finds nothing in ${colorScheme}`, async (stage) => {
    const rooms = await furnish(stage);
    const faults = [];
    const check = async (client, what) => {
      for (const fault of await violations(client.page)) faults.push(`${what}: ${fault}`);
    };
    // What is still appearing has colours of its own for a moment.
    const options = { colorScheme, reducedMotion: "reduce" };
    const stranger = await stage.window(options);
    for (const place of ["#/", "#/register", "#/forgot", "#/reset/token", "#/verify/token"]) {
      await stranger.go(place);
      await stranger.page.locator("main.door h1").waitFor();
      await check(stranger, place);
    }
    const client = await stage.signedIn(options);
    for (const [place, text] of Object.entries(places(rooms))) {
      await show(client, place, text);
      await check(client, place);
    }
    for (const [what, open] of Object.entries(OVERLAYS)) {
      await home(client);
      await open(client);
      await check(client, what);
    }
    assert.deepEqual(faults, []);
  });
}

/** Elements that reach over the edge of the window, or of a part that scrolls sideways. */
async function overflows(page) {
  return page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    const found = [];
    if (document.scrollingElement.scrollWidth > width) found.push(`page: ${document.scrollingElement.scrollWidth} px`);
    for (const element of document.querySelectorAll("body *")) {
      const { overflowX } = getComputedStyle(element);
      const scrolls = overflowX === "auto" || overflowX === "scroll";
      if (scrolls && element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 1) {
        const wide = [...element.querySelectorAll("*")].find((inner) => {
          const box = inner.getBoundingClientRect();
          const own = element.getBoundingClientRect();
          return box.width > 1 && (box.right > own.right + 1 || box.left < own.left - 1);
        });
        const { className } = element;
        found.push(`.${className}: ${element.scrollWidth} > ${element.clientWidth} px: ${wide?.outerHTML.slice(0, 120)}`);
      }
    }
    return found;
  });
}

const LAYOUTS = {
  "320 px": { viewport: { width: 320, height: 640 } },
  // A browser's zoom is fewer CSS pixels for the same window.
  "200 %": { viewport: { width: 640, height: 400 }, deviceScaleFactor: 2 },
  "from right to left": { dir: "rtl" },
  "from right to left at 320 px": { dir: "rtl", viewport: { width: 320, height: 640 } },
};

for (const [name, { dir, ...options }] of Object.entries(LAYOUTS)) {
  scenario(`nothing scrolls sideways at ${name}`, async (stage) => {
    const rooms = await furnish(stage);
    const client = await stage.window(options);
    if (dir) {
      await client.page.addInitScript((value) => {
        document.addEventListener("DOMContentLoaded", () => { document.documentElement.dir = value; });
      }, dir);
    }
    await client.signIn(stage.account);
    const faults = [];
    const check = async (what) => {
      for (const fault of await overflows(client.page)) faults.push(`${what}: ${fault}`);
    };
    for (const [place, text] of Object.entries(places(rooms))) {
      await show(client, place, text);
      if (dir) assert.equal(await client.page.getAttribute("html", "dir"), dir);
      await check(place);
    }
    for (const [what, open] of Object.entries(OVERLAYS)) {
      // On a small screen these begin in the menu.
      if (options.viewport && ["the new list", "the new filter", "the account menu"].includes(what)) continue;
      await home(client);
      await open(client);
      await check(what);
    }
    assert.deepEqual(faults, []);
  });
}

scenario("nothing moves for those who do not want it", async (stage) => {
  await furnish(stage);
  const client = await stage.signedIn({ reducedMotion: "reduce" });
  const moving = () => client.page.evaluate(() => {
    const seconds = (text) => Math.max(...text.split(",").map((part) => Number.parseFloat(part)));
    const moves = [...document.querySelectorAll("*")].filter((element) => {
      const { transitionDuration, animationDuration, scrollBehavior } = getComputedStyle(element);
      return seconds(transitionDuration) > 0.001 || seconds(animationDuration) > 0.001 || scrollBehavior === "smooth";
    });
    return moves.map((element) => element.outerHTML.slice(0, 120));
  });
  for (const open of Object.values(OVERLAYS)) {
    await home(client);
    await open(client);
    assert.deepEqual(await moving(), []);
  }
});
