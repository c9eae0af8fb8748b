// What a person can do with a task.
import assert from "node:assert/strict";
import { day, DAY_MS, local, ZONE } from "./day.mjs";
import { scenario } from "./stage.mjs";
import { until } from "./wait.mjs";

async function inbox(stage, ...tasks) {
  const api = await stage.register();
  for (const task of tasks) await api.create(task);
  const client = await stage.signedIn();
  await client.go("#/inbox");
  for (const task of tasks) await client.row(task.title).waitFor();
  return { api, client, page: client.page, keyboard: client.keyboard };
}

/** Writes into a field of the panel and leaves it. */
async function write(client, name, value) {
  const field = client.panel().locator(`[name=${name}]`);
  await field.fill(value);
  await field.blur();
}

scenario("steps, blockers, estimate, state and description", async (stage) => {
  const { api, client, page } = await inbox(stage, { title: "Write the report" }, { title: "Find sources" });
  await client.open("Write the report");
  for (const step of ["Outline", "Draft"]) {
    await page.fill("[name=step]", step);
    await page.press("[name=step]", "Enter");
    await client.panel().getByRole("link", { name: step }).waitFor();
  }
  await client.row("Write the report").getByText("0/2").waitFor();
  await client.panel().getByRole("checkbox", { name: "Complete “Outline”" }).click();
  await client.row("Write the report").getByText("1/2").waitFor();
  const report = await api.task("Write the report");
  await api.has("Outline", (task) => task.subtask_of === report.id && task.status === "completed");

  await page.fill("[name=blocker]", "sources");
  await client.panel().getByRole("button", { name: "Find sources", exact: true }).click();
  await client.row("Write the report").getByText("Waiting").waitFor();
  const sources = await api.task("Find sources");
  await api.has("Write the report", (task) => task.blocked_by.includes(sources.id));

  await write(client, "estimate", "25");
  await client.row("Write the report").getByText("25 min").waitFor();
  await client.panel().locator("[name=status]").selectOption("in_progress");
  await client.row("Write the report").getByText("In progress").waitFor();
  await write(client, "description", "Three pages.");
  await write(client, "title", "Write the long report");
  await api.has("Write the long report", ({ estimate, status, description }) =>
    estimate === 25 && status === "in_progress" && description === "Three pages.");
});

scenario("due and start by words, calendar and time", async (stage) => {
  const { api, client, page } = await inbox(stage, { title: "See the dentist" });
  await client.open("See the dentist");
  await client.part("Due");
  await page.fill("[name=due_date]", "no date at all");
  await page.press("[name=due_date]", "Enter");
  await page.getByRole("alert").getByText("no date that Rondo understands").waitFor();
  await page.fill("[name=due_date]", "in 3 days 9am");
  await page.press("[name=due_date]", "Enter");
  await api.has("See the dentist", (task) => task.due_date !== null && local(task.due_date) === `${day(3)} 09:00`);

  await client.part("Due");
  const date = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long", year: "numeric", timeZone: ZONE });
  const name = new RegExp(`\\b${date.format(Date.now() + 2 * DAY_MS)}$`);
  await page.getByRole("gridcell", { name }).click();
  await api.has("See the dentist", (task) => local(task.due_date) === `${day(2)} 09:00`);

  await client.part("Due");
  await page.fill("[name=time]", "14:30");
  await page.press("[name=time]", "Enter");
  await api.has("See the dentist", (task) => task.due_date !== null && local(task.due_date) === `${day(2)} 14:30`);

  await client.part("Due");
  await client.choose("Tomorrow");
  await api.has("See the dentist", (task) => local(task.due_date) === `${day(1)} 14:30`);
  await client.part("Due");
  await client.choose("No date");
  await api.has("See the dentist", (task) => task.due_date === null && task.due_day === null);

  await client.part("Start");
  await page.fill("[name=due_date]", "tomorrow");
  await page.press("[name=due_date]", "Enter");
  await api.has("See the dentist", (task) => task.start_day === day(1));
});

scenario("reminders before it is due, and at a moment", async (stage) => {
  const { api, client, page } = await inbox(stage, { title: "Catch the train", due_date: new Date(Date.now() + DAY_MS) });
  await client.open("Catch the train");
  await client.part("Reminder");
  await client.choose("30 minutes before");
  const task = await api.has("Catch the train", (found) => found.reminder_offset === "PT30M");
  await client.part("Reminder");
  await page.fill("[name=reminder_offset]", "in 2 hours");
  await page.press("[name=reminder_offset]", "Enter");
  await until("two reminders", async () => {
    const all = await api.get("/api/reminders?status=armed");
    return all.filter((reminder) => reminder.task_id === task.id).length === 2;
  });
  await client.value("Reminder").getByText("+1").waitFor();
});

scenario("a reminder that has fired is snoozed", async (stage) => {
  const { api, client } = await inbox(stage, { title: "Take the pills", due_date: new Date(Date.now() + 2_000), reminder_offset: "PT0S" });
  const { id } = await api.task("Take the pills");
  const fired = () => api.get("/api/reminders").then((all) => all.find((one) => one.task_id === id && one.status === "fired"));
  await until("the reminder fires", fired);
  await client.open("Take the pills");
  await client.part("Reminder");
  await client.choose("Snooze");
  await until("it is armed again", async () => {
    const all = await api.get("/api/reminders");
    return all.some((one) => one.task_id === id && one.status === "armed" && Date.parse(one.remind_at) > Date.now() + 60_000);
  });
});

scenario("the editor of a recurrence shows the next ten dates", async (stage) => {
  const { api, client, page } = await inbox(stage, { title: "Stretch", due_day: day(0) });
  await client.open("Stretch");
  await client.part("Repeat");
  const dialog = client.dialog();
  await dialog.locator("[name=frequency]").selectOption("weekly");
  await dialog.locator("[name=interval]").fill("2");
  for (const weekday of ["Monday", "Thursday"]) await dialog.getByRole("button", { name: weekday }).click();
  assert.equal(await page.inputValue("[name=recurring]"), "true");
  await until("ten dates", async () => (await dialog.locator("ol li").count()) === 10);
  await dialog.getByText(/every 2 weeks.*Monday.*Thursday/i).waitFor();
  await dialog.locator("[name=ends]").selectOption("after");
  await dialog.locator("[name=count]").fill("4");
  await until("four dates", async () => (await dialog.locator("ol li").count()) <= 4);
  await dialog.getByRole("button", { name: "Save" }).click();
  await dialog.waitFor({ state: "detached" });
  const { recurrence_rule: rule } = await api.has("Stretch", (task) => task.recurrence_rule !== null);
  assert.deepEqual([rule.frequency, rule.interval, rule.days_of_week, rule.count], ["weekly", 2, [0, 3], 4]);

  await client.part("Repeat");
  await dialog.locator("[name=frequency]").selectOption("rrule");
  await dialog.locator("[name=rrule]").fill("FREQ=MONTHLY;BYDAY=2XX");
  await dialog.locator(".error").waitFor();
  await dialog.locator("[name=rrule]").fill("FREQ=MONTHLY;BYDAY=2TU");
  await until("ten dates", async () => (await dialog.locator("ol li").count()) === 10);
  await dialog.getByRole("button", { name: "Save" }).click();
  await api.has("Stretch", (task) => task.recurrence_rule?.rrule?.includes("2TU"));
  await client.part("Repeat");
  await dialog.locator("[name=frequency]").selectOption("");
  await dialog.getByRole("button", { name: "Save" }).click();
  await api.has("Stretch", (task) => task.recurrence_rule === null);
});

scenario("a move is for one occurrence or for all that follow", async (stage) => {
  const { api, client, page } = await inbox(stage, { title: "Water the plants", due_day: day(0), recurrence_rule: { frequency: "weekly" } });
  const move = async (scope, words) => {
    await client.open("Water the plants");
    await client.panel().locator("[name=scope]").selectOption(scope);
    await client.part("Due");
    await page.fill("[name=due_date]", words);
    await page.press("[name=due_date]", "Enter");
  };
  const complete = async (due) => {
    const { id } = await api.has("Water the plants", (task) => task.status === "pending" && task.due_day === due);
    await client.panel().getByRole("checkbox", { name: "Complete “Water the plants”" }).click();
    await api.has("Water the plants", (task) => task.id === id && task.status === "completed");
    await client.close();
    await client.row("Water the plants").getByRole("checkbox", { name: "Complete" }).waitFor();
  };
  await move("this", "tomorrow");
  await complete(day(1));
  // The series is where it was.
  await api.has("Water the plants", (task) => task.status === "pending" && task.due_day === day(7));
  await move("future", "in 9 days");
  await complete(day(9));
  await api.has("Water the plants", (task) => task.status === "pending" && task.due_day === day(16));
});

scenario("skip, reopen, duplicate and history", async (stage) => {
  const { api, client, page } = await inbox(stage,
    { title: "Water the plants", due_day: day(0), recurrence_rule: { frequency: "daily" } }, { title: "Buy milk" });
  await client.act("Water the plants", "Skip this time");
  await api.has("Water the plants", (task) => task.status === "pending" && task.due_day === day(1));
  await client.row("Buy milk").getByRole("checkbox").click();
  await api.has("Buy milk", (task) => task.status === "completed");
  await client.go("#/completed");
  await client.row("Buy milk").getByRole("checkbox", { name: "Reopen" }).click();
  await api.has("Buy milk", (task) => task.status === "pending");
  await client.go("#/inbox");
  await client.act("Buy milk", "Duplicate");
  await until("two of them", async () => (await client.row("Buy milk").count()) === 2);
  await until("two on the server", async () => (await api.tasks()).filter((task) => task.title === "Buy milk").length === 2);
  await client.row("Buy milk").first().locator("a.title").click();
  await page.getByRole("button", { name: "Show history" }).click();
  await page.locator(".history li", { hasText: "task created" }).first().waitFor();
});

scenario("several tasks at once, undone by the toast and by keys", async (stage) => {
  const titles = ["One", "Two", "Three"];
  const { api, client, page, keyboard } = await inbox(stage, ...titles.map((title) => ({ title })));
  const completed = async () => (await api.tasks()).filter((task) => task.status === "completed").map((task) => task.title).sort();
  const whole = (expected) => until(`completed: ${expected}`, async () => {
    const found = await completed();
    return JSON.stringify(found) === JSON.stringify(expected) || Promise.reject(new Error(String(found)));
  });
  for (const title of ["One", "Three"]) await client.row(title).click({ modifiers: ["Control"] });
  const bar = page.getByRole("toolbar", { name: "2 selected" });
  await bar.getByRole("button", { name: "Priority" }).click();
  await client.choose("High");
  for (const title of ["One", "Three"]) await api.has(title, (task) => task.priority === "high");
  await client.undo();
  for (const title of ["One", "Three"]) await api.has(title, (task) => task.priority === null);

  for (const title of ["One", "Three"]) {
    await client.row(title).locator("a.title").focus();
    await keyboard.press("x");
  }
  await bar.getByRole("button", { name: "Complete" }).click();
  await whole(["One", "Three"]);
  await keyboard.press("Control+z");
  await whole([]);
  for (const title of titles) await client.row(title).waitFor();
  await keyboard.press("Control+Shift+z");
  await whole(["One", "Three"]);
  await client.row("One").waitFor({ state: "detached" });
});

scenario("a deleted task comes back, by undo or from the trash", async (stage) => {
  const { api, client, page } = await inbox(stage, { title: "Old plan" }, { title: "Older plan" });
  await client.act("Old plan", "Delete");
  await client.row("Old plan").waitFor({ state: "detached" });
  await client.undo();
  await client.row("Old plan").waitFor();
  await api.has("Old plan");
  await client.act("Old plan", "Delete");
  await client.act("Older plan", "Delete");
  await until("both are gone", async () => (await api.tasks()).length === 0);
  await client.go("#/trash");
  await page.getByRole("button", { name: "Restore: Old plan" }).click();
  await api.has("Old plan");
  await page.getByRole("button", { name: "Delete forever: Older plan" }).click();
  await until("the trash is empty", async () => (await api.get("/api/trash")).length === 0);
  await client.go("#/inbox");
  await client.row("Old plan").waitFor();
});
