// The assistant beside the tasks: a conversation that streams, proposals that wait, and what it changes is there at once.
import assert from "node:assert/strict";
import { scenario } from "./stage.mjs";

async function say(client, message) {
  await client.page.fill("[name=message]", message);
  await client.page.press("[name=message]", "Enter");
}

const answers = (client) => client.page.locator(".chat-log .answer");

scenario("a conversation with the assistant", async (stage) => {
  const api = await stage.register();
  await api.create({ title: "Old plan" });
  const client = await stage.signedIn();
  await client.go("#/inbox");
  await client.row("Old plan").waitFor();
  await client.page.getByRole("button", { name: "Assistant" }).click();
  await client.page.locator(".chat .empty").waitFor();

  // What it adds comes to the page as any other change does.
  await say(client, "add buy milk tomorrow p1");
  await client.row("buy milk").waitFor();
  await answers(client).last().getByRole("link", { name: "buy milk" }).waitFor();

  // A deletion waits, also for somebody who changes their mind.
  await say(client, "delete old plan");
  await client.page.locator(".proposal").getByText("Old plan").waitFor();
  assert.equal(await client.row("Old plan").count(), 1);
  await client.page.locator(".proposal").getByRole("button", { name: "Confirm" }).click();
  await client.row("Old plan").waitFor({ state: "detached" });
  await say(client, "undo");
  await client.row("Old plan").waitFor();

  // The conversation is there again after a reload, and in another window.
  const count = await answers(client).count();
  await client.page.reload();
  await client.row("Old plan").waitFor();
  await client.keyboard.press("a");
  await answers(client).nth(count - 1).waitFor();
  const other = await stage.signedIn();
  await other.keyboard.press("a");
  await answers(other).nth(count - 1).waitFor();

  // A task's panel takes the place of the assistant, which is there again afterwards.
  await client.page.keyboard.press("Escape");
  await client.page.locator(".chat").waitFor({ state: "detached" });
  await client.keyboard.press("a");
  await client.page.getByRole("button", { name: "New conversation" }).click();
  assert.equal(await answers(client).count(), 0);
  await say(client, "what can you do");
  await answers(client).first().getByText("add").first().waitFor();
  await client.page.getByRole("button", { name: "Delete conversation" }).click();
  await client.page.locator(".chat .empty").waitFor();
  assert.equal((await api.get("/api/chat/conversations")).length, 1);
});

scenario("an answer in the language of the page", async (stage) => {
  const api = await stage.register();
  await api.create({ title: "Zahnarzt anrufen" });
  const client = await stage.window({ locale: "de-DE" });
  await client.go("");
  await client.page.fill("[name=email]", stage.account.email);
  await client.page.fill("[name=password]", stage.account.password);
  await client.page.click("[type=submit]");
  await client.page.getByRole("button", { name: "Assistent" }).click();
  await say(client, "erledige Zahnarzt anrufen");
  await answers(client).first().getByRole("link", { name: "Zahnarzt anrufen" }).waitFor();
  const done = await api.get("/api/tasks?status=completed");
  assert.equal(done.length, 1);
});

scenario("without a network the assistant says so", async (stage) => {
  await stage.register();
  const client = await stage.signedIn();
  await client.keyboard.press("a");
  stage.proxy.cut();
  await say(client, "add milk");
  await client.page.locator(".chat .error").getByText("cannot be reached").waitFor();
});

scenario("sessions are listed, and another one can be ended", async (stage) => {
  const api = await stage.register();
  const client = await stage.signedIn();
  await client.go("#/settings");
  const card = client.page.getByRole("region", { name: "Sessions" });
  await card.getByText("this one").waitFor();
  const before = await card.locator("li").count();
  assert.equal(before, (await api.get("/api/auth/sessions")).length);
  await card.locator("li").last().getByRole("button").click();
  await card.locator("li").nth(before - 1).waitFor({ state: "detached" });
  await card.getByText("this one").waitFor();
});
