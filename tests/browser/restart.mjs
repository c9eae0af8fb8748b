// A server that forgets deletions at once, so that a device which was away has to start from nothing.
import assert from "node:assert/strict";
import { scenario } from "./stage.mjs";
import { until } from "./wait.mjs";

scenario("a device that was away too long starts over, and its outbox is kept", async (stage) => {
  const api = await stage.register();
  for (const title of ["Stays", "Goes", "Changes"]) await api.create({ title });
  const client = await stage.signedIn();
  await client.go("#/inbox");
  for (const title of ["Stays", "Goes", "Changes"]) await client.row(title).waitFor();
  stage.proxy.cut();
  await client.state("Offline").waitFor({ state: "attached" });
  await client.add("Written meanwhile");
  await client.row("Stays").locator("a.title").focus();
  await client.keyboard.press("t");
  await client.choose("Tomorrow");

  const since = (await api.get("/api/changes?since=0")).revision;
  const { id } = await api.task("Goes");
  await api.call("DELETE", `/api/tasks/${id}`);
  await api.call("DELETE", `/api/trash/${id}`).catch(() => {});
  await api.call("PATCH", `/api/tasks/${(await api.task("Changes")).id}`, { title: "Changed" });
  await until("the deletion is forgotten", () =>
    api.get(`/api/changes?since=${since}`).then(() => false, (error) => /410/.test(error.message)));

  // The feed answers 410, or the WebSocket closes with 4410, whichever is asked first.
  stage.proxy.mend();
  await client.row("Changed").waitFor();
  await client.row("Goes").waitFor({ state: "detached" });
  await api.has("Written meanwhile");
  await api.has("Stays", (task) => task.due_day !== null);
  await client.synced();
  const shown = (await client.titles()).sort();
  assert.deepEqual(shown, ["Changed", "Stays", "Written meanwhile"]);
  assert.deepEqual((await api.tasks()).map((task) => task.title).sort(), shown);
});
