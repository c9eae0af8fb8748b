// What a person does on the first day.
import assert from "node:assert/strict";
import { ZONE } from "./day.mjs";
import { scenario } from "./stage.mjs";
import { until } from "./wait.mjs";

const STANDUP = "Team standup";
/** Within which a task of one window has to be in another. */
const ARRIVAL_MS_MAX = 2_000;

scenario("the journey", async (stage) => {
  const one = await stage.window();
  const { page } = one;
  const { email, password } = stage.account;

  await one.go("#/register");
  await page.fill("[name=email]", email);
  await page.fill("[name=password]", password);
  await page.click("[type=submit]");
  await one.heading("Today").waitFor();
  await one.ready();

  await page.getByRole("button", { name: "Account" }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await one.signIn(stage.account);
  const api = await stage.login();

  // The line shows what it understands, and what follows from it.
  const line = page.locator("[name=title]");
  await line.fill("Team standup every Monday at 10 AM");
  await page.locator(".quick-marks mark", { hasText: "every Monday at 10 AM" }).first().waitFor();
  await page.locator(".quick .chip", { hasText: "every Monday at 10 AM" }).waitFor();
  await page.locator("#quick-reading", { hasText: /Monday.*10:00.*Next:/ }).waitFor();
  await line.press("Enter");
  await one.toast("added").waitFor();
  const created = await api.has(STANDUP);
  assert.equal(created.recurrence_rule.frequency, "weekly");

  await page.getByRole("link", { name: "Upcoming" }).first().click();
  await one.open(STANDUP);
  await one.part("Reminder");
  await page.fill("[name=reminder_offset]", "1 hour before");
  await page.press("[name=reminder_offset]", "Enter");
  await one.value("Reminder").getByText("1 hour before").waitFor();
  await api.has(STANDUP, (task) => task.reminder_offset === "PT1H");

  await one.part("Repeat");
  assert.equal(await page.inputValue("dialog [name=frequency]"), "weekly");
  assert.equal(await page.inputValue("dialog [name=recurring]"), "true");
  await page.keyboard.press("Escape");
  await one.part("Due");
  assert.equal(await page.locator("[name=due_date]").count(), 1);
  await page.keyboard.press("Escape");
  await one.part("Tags");
  await page.fill("[name=tags]", "team");
  await page.press("[name=tags]", "Enter");
  await page.keyboard.press("Escape");
  await page.selectOption(".panel [name=priority]", "high");
  await one.row(STANDUP).getByText("High").waitFor();

  // The completed occurrence is followed by the next, a week later, with the same reminder.
  await one.panel().getByRole("checkbox", { name: `Complete “${STANDUP}”` }).click();
  const next = await api.has(STANDUP, (task) => task.status === "pending" && task.id !== created.id);
  const days = (Date.parse(next.due_date) - Date.parse(created.due_date)) / 86_400_000;
  assert.equal(Math.round(days), 7);
  assert.equal(next.reminder_offset, "PT1H");
  assert.deepEqual([next.priority, next.tags], ["high", ["team"]]);
  await one.close();
  await until("the next occurrence is shown", async () => (await one.row(STANDUP).count()) === 1);
  const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long", timeZone: ZONE });
  await page.locator(".group", { has: page.getByText(day.format(new Date(next.due_date))) })
    .getByRole("link", { name: STANDUP }).waitFor();
  await page.getByRole("link", { name: "Completed" }).click();
  await one.row(STANDUP).waitFor();
});

scenario("a second window sees a new task at once", async (stage) => {
  await stage.register();
  const [one, two] = [await stage.signedIn(), await stage.signedIn()];
  for (const title of ["Buy milk", "Water the plants", "Call Grace"]) {
    const begin = performance.now();
    await one.add(title);
    await two.row(title).waitFor();
    const took = performance.now() - begin;
    console.log(`figure: arrival of “${title}” in another window: ${Math.round(took)} ms`);
    assert.ok(took < ARRIVAL_MS_MAX, `it took ${took} ms`);
  }
});
