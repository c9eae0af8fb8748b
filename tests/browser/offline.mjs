// A network that is cut, tabs that are closed in between, and several tabs of one browser.
import assert from "node:assert/strict";
import { scenario } from "./stage.mjs";
import { until } from "./wait.mjs";

/** What a person can see of the open tasks in the inbox: title, priority and due day. */
async function seen(client) {
  const rows = client.page.locator(".main .row");
  const texts = await rows.evaluateAll((all) =>
    all.map((row) => `${row.querySelector("a.title").textContent} | ${row.querySelector(".meta")?.textContent ?? ""}`));
  return texts.sort();
}

/** Cuts the way to the server, and waits until the windows have noticed. */
async function cut(stage, ...clients) {
  stage.proxy.cut();
  for (const client of clients) await client.state("Offline").waitFor({ state: "attached" });
}

scenario("edits without a network in two windows come together", async (stage) => {
  const api = await stage.register();
  await api.create({ title: "Shared task" });
  await api.create({ title: "Another task" });
  const [one, two] = [await stage.signedIn(), await stage.signedIn()];
  for (const client of [one, two]) {
    await client.go("#/inbox");
    await client.row("Shared task").waitFor();
  }
  await cut(stage, one, two);

  // Different fields of one task, a task of each window, and one that is completed.
  await one.open("Shared task");
  await one.page.selectOption(".panel [name=priority]", "high");
  await one.close();
  await one.add("From the first window");
  await two.open("Shared task");
  await two.page.fill(".panel [name=description]", "Written in a tunnel.");
  await two.page.locator(".panel [name=title]").focus();
  await two.close();
  await two.add("From the second window");
  await two.row("Another task").getByRole("checkbox").click();
  await one.state("2 changes wait").waitFor({ state: "attached" });
  await two.state("3 changes wait").waitFor({ state: "attached" });
  assert.deepEqual((await api.tasks()).map((task) => task.title).sort(), ["Another task", "Shared task"]);

  stage.proxy.mend();
  for (const client of [one, two]) await client.synced();
  const shared = await api.has("Shared task", (task) => task.priority === "high" && task.description !== null);
  assert.equal(shared.description, "Written in a tunnel.");
  await api.has("From the first window");
  await api.has("From the second window");
  await api.has("Another task", (task) => task.status === "completed");
  const titles = ["From the first window", "From the second window", "Shared task"];
  for (const client of [one, two]) {
    for (const title of titles) await client.row(title).waitFor();
    await client.row("Another task").waitFor({ state: "detached" });
  }
  assert.deepEqual(await seen(one), await seen(two));
  const server = (await api.tasks()).filter((task) => task.status === "pending").map((task) => task.title);
  assert.deepEqual(server.sort(), titles);
});

scenario("the later edit of one field stays, and the person is told", async (stage) => {
  const api = await stage.register();
  await api.create({ title: "Shared task" });
  const client = await stage.signedIn();
  await client.go("#/inbox");
  await client.open("Shared task");
  await cut(stage, client);
  await client.page.fill(".panel [name=title]", "Title by this window");
  await client.page.press(".panel [name=title]", "Enter");
  const task = await api.task("Shared task");
  await api.call("PATCH", `/api/tasks/${task.id}`, { title: "Title by another" });
  stage.proxy.mend();
  await client.synced();
  const [kept] = await until("one title", async () => api.tasks());
  const notice = client.page.locator(".note, .notice", { hasText: /elsewhere|replaced/ });
  await notice.first().waitFor();
  await client.row(kept.title).waitFor();
});

scenario("the outbox survives the tab, and the page opens without a network", async (stage) => {
  const api = await stage.register();
  await api.create({ title: "Known before" });
  const client = await stage.signedIn();
  await client.go("#/inbox");
  await client.row("Known before").waitFor();
  // The page of the next visit comes from the service worker.
  await client.installed();
  await client.page.reload();
  await client.row("Known before").waitFor();
  await until("the service worker serves the page", () => client.page.evaluate(() => navigator.serviceWorker.controller !== null));
  await cut(stage, client);
  await client.add("Written without a network");
  await client.state("1 change waits").waitFor({ state: "attached" });

  await client.page.reload();
  await client.row("Written without a network").waitFor();
  await client.row("Known before").waitFor();
  await client.state("1 change waits").waitFor({ state: "attached" });
  await client.page.close();
  const again = await stage.tab(client.window);
  await again.go("#/inbox");
  await again.row("Written without a network").waitFor();

  stage.proxy.mend();
  await again.synced();
  await api.has("Written without a network");
});

scenario("a browser without any network says so, and syncs when it is back", async (stage) => {
  const api = await stage.register();
  const client = await stage.signedIn();
  await client.go("#/inbox");
  await client.context.setOffline(true);
  await client.state("Offline").waitFor({ state: "attached" });
  await client.add("Written in a tunnel");
  await client.state("1 change waits").waitFor({ state: "attached" });
  await api.create({ title: "Written elsewhere" });
  await client.context.setOffline(false);
  await client.synced();
  await client.row("Written elsewhere").waitFor();
  await api.has("Written in a tunnel");
});

scenario("tabs share one socket and one outbox", async (stage) => {
  const api = await stage.register();
  await api.create({ title: "Known before" });
  const first = await stage.signedIn();
  await first.go("#/inbox");
  await first.row("Known before").waitFor();
  const others = [];
  for (let tab = 0; tab < 3; tab += 1) {
    const other = await stage.tab(first.window);
    await other.go("#/inbox");
    await other.row("Known before").waitFor();
    others.push(other);
  }
  await until("one socket", () => stage.proxy.sockets === 1);

  // An edit in a tab that follows arrives in all, and on the server.
  await others[0].add("From a follower");
  for (const tab of [first, ...others]) await tab.row("From a follower").waitFor();
  await api.has("From a follower");
  await api.create({ title: "From elsewhere" });
  for (const tab of [first, ...others]) await tab.row("From elsewhere").waitFor();
  assert.equal(stage.proxy.sockets, 1);

  // Another tab takes over when the first closes.
  await first.page.close();
  await until("one socket of another tab", () => stage.proxy.sockets === 1 && stage.proxy.opened >= 2);
  await others[1].add("After the first has gone");
  await api.has("After the first has gone");
  for (const tab of others) await tab.row("After the first has gone").waitFor();
  assert.equal(stage.proxy.sockets, 1);
});
