// The journey without a mouse: only keys, and the focus shows where they go.
import assert from "node:assert/strict";
import { scenario } from "./stage.mjs";
import { until } from "./wait.mjs";

const STEPS_MAX = 80;

/** Presses Tab until the focused element is the wanted one. */
async function tabTo(page, what, isThere, key = "Tab") {
  for (let step = 0; step < STEPS_MAX; step += 1) {
    if (await page.evaluate(isThere)) return;
    await page.keyboard.press(key);
  }
  throw new Error(`no way to ${what} by ${key}; the focus is on ${await focused(page)}`);
}

function focused(page) {
  return page.evaluate(() => document.activeElement?.outerHTML.slice(0, 200));
}

/** Waits until the focus is on an element that matches. */
function focusOn(page, selector) {
  return until(`the focus is on ${selector}`, async () => {
    if (await page.evaluate((one) => document.activeElement?.matches(one), selector)) return true;
    throw new Error(await focused(page));
  });
}

scenario("the journey by keyboard alone", async (stage) => {
  const client = await stage.window();
  const { page, keyboard } = client;
  const { email, password } = stage.account;

  await client.go("#/register");
  await page.locator("[name=email]").waitFor();
  await tabTo(page, "the address", () => document.activeElement.name === "email");
  await keyboard.type(email);
  await keyboard.press("Tab");
  await focusOn(page, "[name=password]");
  await keyboard.type(password);
  await keyboard.press("Enter");
  await client.heading("Today").waitFor();
  await client.ready();
  const api = await stage.login();

  await keyboard.press("q");
  await focusOn(page, "#quick-add");
  // Letters are text while a person types.
  await keyboard.type("Team standup every Monday at 10 AM");
  await keyboard.press("Enter");
  await client.toast("added").waitFor();
  await keyboard.type("Jot down xkcd");
  await keyboard.press("Enter");
  await keyboard.press("Escape");
  const created = await api.has("Team standup");
  await api.has("Jot down xkcd");

  // g u, down to the task, and into its panel.
  await keyboard.press("g");
  await keyboard.press("u");
  await client.heading("Upcoming").waitFor();
  await client.row("Team standup").waitFor();
  await until("j reaches the task", async () => {
    await keyboard.press("j");
    return (await page.evaluate(() => document.activeElement.textContent)) === "Team standup";
  });
  await keyboard.press("Enter");
  await client.panel().waitFor();
  await tabTo(page, "the reminder", () => document.activeElement.textContent.startsWith("Reminder"));
  await keyboard.press("Enter");
  await focusOn(page, "[name=reminder_offset]");
  await keyboard.type("1 hour before");
  await keyboard.press("Enter");
  await api.has("Team standup", (task) => task.reminder_offset === "PT1H");
  // The focus is back where the popup was opened.
  await focusOn(page, ".panel .part button");
  await keyboard.press("Escape");
  await client.panel().waitFor({ state: "detached" });
  await focusOn(page, ".row a.title");

  // A day later and back, by keys alone.
  await keyboard.press("Shift+ArrowRight");
  await api.has("Team standup", (task) => task.due_date !== created.due_date);
  await keyboard.press("Control+z");
  await api.has("Team standup", (task) => task.due_date === created.due_date);

  // The calendar.
  await keyboard.press("t");
  await focusOn(page, "[name=due_date]");
  await tabTo(page, "the calendar", () => document.activeElement.getAttribute("role") === "gridcell");
  await keyboard.press("ArrowDown");
  await keyboard.press("ArrowUp");
  await keyboard.press("Escape");
  await page.locator(".calendar").waitFor({ state: "detached" });
  await focusOn(page, ".row a.title");

  await keyboard.press("e");
  const next = await api.has("Team standup", (task) => task.status === "pending" && task.id !== created.id);
  assert.equal(next.reminder_offset, "PT1H");
  await client.row("Team standup").waitFor();

  // Search, and the help.
  await keyboard.press("/");
  await focusOn(page, "#search");
  await keyboard.type("xkcd");
  await client.row("Jot down xkcd").waitFor();
  await page.keyboard.press("Tab");
  await tabTo(page, "the first result", () => document.activeElement.matches(".row a.title"));
  await keyboard.press("?");
  await client.dialog().waitFor();
  await keyboard.press("Escape");
  await client.dialog().waitFor({ state: "detached" });
  await keyboard.press("Delete");
  await until("the task is in the trash", async () => (await api.get("/api/trash")).some((t) => t.title === "Jot down xkcd"));
});

scenario("the focus stays inside a popup, and is always seen", async (stage) => {
  await (await stage.register()).create({ title: "Pay the rent", due_day: "2020-01-01" });
  // Without transitions, a look is what it will be.
  const client = await stage.signedIn({ reducedMotion: "reduce" });
  const { page, keyboard } = client;
  await client.row("Pay the rent").locator("a.title").focus();
  await keyboard.press("t");
  await page.locator(".menu").waitFor();
  for (let step = 0; step < 30; step += 1) {
    await keyboard.press("Tab");
    assert.ok(await page.evaluate(() => document.activeElement.closest(".menu") !== null), await focused(page));
  }
  await keyboard.press("Escape");
  // Every stop on the way through the page looks otherwise with the focus, and has a size.
  const seen = new Set();
  for (let step = 0; step < STEPS_MAX; step += 1) {
    await keyboard.press("Tab");
    const stop = await page.evaluate(() => {
      const element = document.activeElement;
      // The element itself shows its focus, or what it is in.
      const look = () => {
        const looks = [];
        for (let at = element; at; at = at.parentElement) {
          for (const part of [null, "::before", "::after"]) {
            const { outline, boxShadow, backgroundColor, borderColor } = getComputedStyle(at, part);
            looks.push(outline, boxShadow, backgroundColor, borderColor);
          }
        }
        return looks.join();
      };
      const focused = look();
      element.blur();
      const isSeen = look() !== focused;
      element.focus();
      const box = element.getBoundingClientRect();
      return { html: element.outerHTML.slice(0, 120), isSeen, size: box.width * box.height, isBody: element === document.body };
    });
    if (stop.isBody) continue;
    seen.add(stop.html);
    assert.ok(stop.size > 0, `nothing to see: ${stop.html}`);
    assert.ok(stop.isSeen, `the focus is not seen: ${stop.html}`);
  }
  assert.ok(seen.size > 8, `${seen.size} stops`);
});
