// Lists, filters, tags, days and search.
import assert from "node:assert/strict";
import { day, DAY_MS, ZONE } from "./day.mjs";
import { scenario } from "./stage.mjs";
import { until } from "./wait.mjs";

/** How a heading of Upcoming and a cell of the month name a day. */
function dayName(days) {
  const name = (form) => new Intl.DateTimeFormat("en-GB", { timeZone: ZONE, ...form }).format(Date.now() + days * DAY_MS);
  const [long, short] = ["long", "short"].map((month) => name({ day: "numeric", month }));
  return new RegExp(`\\b(${long}|${short})$`);
}

function side(client, name) {
  return client.page.locator(".side a.nav", { hasText: name });
}

/** The names of the lists in the side, in their order. */
function listNames(client) {
  return client.page.locator(".side a.nav[href^='#/list/'] .name").allTextContents();
}

async function newList(client, name) {
  await client.page.getByRole("button", { name: "New list" }).first().click();
  await client.dialog().locator("[name=name]").fill(name);
  await client.dialog().getByRole("button", { name: "Create" }).click();
  await client.heading(name).waitFor();
}

async function more(client, entry) {
  await client.page.locator(".head").getByRole("button", { name: "More" }).click();
  await client.choose(entry);
}

const same = (what, read, expected) => until(what, async () => {
  const found = await read();
  return JSON.stringify(found) === JSON.stringify(expected) || Promise.reject(new Error(JSON.stringify(found)));
});

scenario("lists are made, renamed, ordered, archived and deleted", async (stage) => {
  const api = await stage.register();
  const client = await stage.signedIn();
  for (const name of ["Home", "Work", "Club"]) await newList(client, name);
  await client.add("In the club");
  await api.has("In the club", (task) => task.list_id !== null);
  await more(client, "Edit");
  await client.dialog().locator("[name=name]").fill("Chess club");
  await client.dialog().getByLabel("Colour").check();
  await client.dialog().locator("input[type=color]").fill("#1a7448");
  await client.dialog().getByRole("button", { name: "Save" }).click();
  await client.heading("Chess club").waitFor();
  await same("the order", () => listNames(client), ["Home", "Work", "Chess club"]);
  await more(client, "Move up");
  await same("the order", () => listNames(client), ["Home", "Chess club", "Work"]);
  const names = async () => (await api.get("/api/lists")).filter((list) => !list.archived).map((list) => list.name);
  await same("the order on the server", names, ["Home", "Chess club", "Work"]);
  assert.equal((await api.get("/api/lists")).find((list) => list.name === "Chess club").color, "#1a7448");

  await side(client, "Work").click();
  await client.heading("Work").waitFor();
  await more(client, "Archive");
  await same("the lists", () => listNames(client), ["Home", "Chess club"]);
  await same("the lists on the server", names, ["Home", "Chess club"]);
  await client.undo();
  await same("the lists", () => listNames(client), ["Home", "Chess club", "Work"]);

  await side(client, "Chess club").click();
  await more(client, "Delete");
  await client.dialog().getByRole("button", { name: "Keep its tasks" }).click();
  await client.heading("Inbox").waitFor();
  await client.row("In the club").waitFor();
  await api.has("In the club", (task) => task.list_id === null);
  await same("the lists", () => listNames(client), ["Home", "Work"]);
});

scenario("an order of one's own, by drag and by keys", async (stage) => {
  const api = await stage.register();
  const list = await api.post("/api/lists", { name: "Home" });
  for (const title of ["One", "Two", "Three"]) await api.create({ title, list_id: list.id });
  const client = await stage.signedIn();
  await client.go(`#/list/${list.id}`);
  await same("the order", () => client.titles(), ["One", "Two", "Three"]);
  const server = async () => (await api.get(`/api/tasks?list_id=${list.id}&sort_by=position&sort_order=asc`)).map((task) => task.title);

  await client.row("Three").dragTo(client.row("One"), { targetPosition: { x: 200, y: 4 } });
  await same("the order", () => client.titles(), ["Three", "One", "Two"]);
  await same("the order on the server", server, ["Three", "One", "Two"]);
  await client.row("Two").locator("a.title").focus();
  await client.keyboard.press("Alt+ArrowUp");
  await same("the order", () => client.titles(), ["Three", "Two", "One"]);
  await client.keyboard.press("Alt+ArrowUp");
  await same("the order on the server", server, ["Two", "Three", "One"]);
  await client.keyboard.press("Alt+ArrowDown");
  await same("the order on the server", server, ["Three", "Two", "One"]);
  // Another window has the same order.
  const other = await stage.signedIn();
  await other.go(`#/list/${list.id}`);
  await same("the order elsewhere", () => other.titles(), ["Three", "Two", "One"]);
});

scenario("tasks are dragged to lists and days, and moved there by keys", async (stage) => {
  const api = await stage.register();
  await api.post("/api/lists", { name: "Home" });
  await api.create({ title: "Call Grace", due_day: day(1) });
  const client = await stage.signedIn();
  await client.go("#/upcoming");
  await client.row("Call Grace").dragTo(side(client, "Home"));
  await api.has("Call Grace", (task) => task.list_id !== null);
  const group = (days) => client.page.locator(".group", { has: client.page.getByRole("heading", { name: dayName(days) }) });
  await client.row("Call Grace").dragTo(group(3));
  await group(3).getByRole("link", { name: "Call Grace" }).waitFor();
  await api.has("Call Grace", (task) => task.due_day === day(3));
  await client.row("Call Grace").locator("a.title").focus();
  await client.keyboard.press("Shift+ArrowLeft");
  await api.has("Call Grace", (task) => task.due_day === day(2));

  await client.go(`#/month/${day(2)}`);
  const cell = (days) => client.page.locator(".cell", { has: client.page.getByText(dayName(days)) });
  await cell(2).getByRole("link", { name: "Call Grace" }).waitFor();
  // The grid has whole weeks, so a day beside is there or in the next month.
  const target = (await cell(3).count()) > 0 ? 3 : 1;
  await cell(2).getByRole("link", { name: "Call Grace" }).dragTo(cell(target));
  await cell(target).getByRole("link", { name: "Call Grace" }).waitFor();
  await api.has("Call Grace", (task) => task.due_day === day(target));
});

scenario("filters are made, changed, saved from a search, and deleted", async (stage) => {
  const api = await stage.register();
  await api.create({ title: "Pay the rent", priority: "urgent" });
  await api.create({ title: "Read a book", priority: "low" });
  const client = await stage.signedIn();
  await client.page.getByRole("button", { name: "New filter" }).click();
  const dialog = client.dialog();
  await dialog.locator("[name=name]").fill("Pressing");
  await dialog.locator("[name=priority]").selectOption("urgent");
  await dialog.getByText("1 task").waitFor();
  await dialog.getByRole("button", { name: "Create" }).click();
  await side(client, "Pressing").click();
  await same("the tasks", () => client.titles(), ["Pay the rent"]);
  await more(client, "Edit");
  await dialog.locator("[name=name]").fill("Leisure");
  await dialog.locator("[name=query]").fill("priority=low");
  await dialog.getByRole("button", { name: "Save" }).click();
  await same("the tasks", () => client.titles(), ["Read a book"]);
  await until("the filter on the server", async () => (await api.get("/api/filters")).some((f) => f.name === "Leisure" && f.query === "priority=low"));
  await more(client, "Delete");
  await until("no filter on the server", async () => (await api.get("/api/filters")).length === 0);

  await client.keyboard.press("/");
  await client.page.fill("#search", "rent");
  await same("the tasks", () => client.titles(), ["Pay the rent"]);
  await client.page.getByRole("button", { name: "Save as filter" }).click();
  await dialog.locator("[name=name]").fill("Rent");
  await dialog.getByRole("button", { name: "Create" }).click();
  await side(client, "Rent").click();
  await same("the tasks", () => client.titles(), ["Pay the rent"]);
});

scenario("tags have colours, and other names", async (stage) => {
  const api = await stage.register();
  await api.create({ title: "Pay the rent" });
  const client = await stage.signedIn();
  await client.go("#/inbox");
  await client.open("Pay the rent");
  await client.part("Tags");
  for (const name of ["home", "#money"]) {
    await client.page.fill("[name=tags]", name);
    await client.page.press("[name=tags]", "Enter");
  }
  await client.keyboard.press("Escape");
  await api.has("Pay the rent", (task) => JSON.stringify([...task.tags].sort()) === '["home","money"]');
  await side(client, "home").click();
  await client.heading("#home").waitFor();
  await more(client, "Edit");
  await client.dialog().locator("[name=name]").fill("house");
  await client.dialog().getByLabel("Colour").check();
  await client.dialog().locator("input[type=color]").fill("#b42318");
  await client.dialog().getByRole("button", { name: "Save" }).click();
  await client.heading("#house").waitFor();
  await client.row("Pay the rent").locator(".dot").first().waitFor();
  await until("the tag on the server", async () => (await api.get("/api/tags")).some((tag) => tag.name === "house" && tag.color === "#b42318"));
  await api.has("Pay the rent", (task) => task.tags.includes("house"));
  await more(client, "Delete");
  await api.has("Pay the rent", (task) => JSON.stringify(task.tags) === '["money"]');
});

scenario("search finds while a person types, and Completed shows what was done", async (stage) => {
  const api = await stage.register();
  for (const title of ["Pay the rent", "Rent a car", "Buy milk"]) await api.create({ title });
  const client = await stage.signedIn();
  await client.keyboard.press("/");
  await client.page.locator("#search").pressSequentially("ren");
  await same("the tasks", async () => (await client.titles()).sort(), ["Pay the rent", "Rent a car"]);
  await client.page.getByText("2 tasks").waitFor();
  await client.page.locator("#search").pressSequentially("t a");
  await same("the tasks", () => client.titles(), ["Rent a car"]);
  await client.page.fill("#search", "nothing like it");
  await client.page.getByText("Nothing found").waitFor();
  await client.page.fill("#search", "milk");
  await client.row("Buy milk").getByRole("checkbox").click();
  await api.has("Buy milk", (task) => task.status === "completed");
  await client.go("#/completed");
  await client.row("Buy milk").waitFor();
});
