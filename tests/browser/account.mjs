// The account: settings, tokens, webhooks, a copy of everything, and the links of mails.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { Api, mail } from "./api.mjs";
import { MAIL, scenario } from "./stage.mjs";
import { until } from "./wait.mjs";

const me = (api, is) => until("the account on the server", async () => {
  const account = await api.get("/api/auth/me");
  return is(account) ? account : Promise.reject(new Error(JSON.stringify(account)));
});

async function settings(stage) {
  const api = await stage.register();
  const client = await stage.signedIn();
  await client.go("#/settings");
  await client.heading("Settings").waitFor();
  return { api, client, page: client.page };
}

/** Fills a field and leaves it. */
async function write(page, name, value) {
  await page.locator(`.card [name=${name}]`).first().fill(value);
  await page.locator(`.card [name=${name}]`).first().blur();
}

scenario("name, zone and mails are kept on the server, colours and language here", async (stage) => {
  const { api, client, page } = await settings(stage);
  await write(page, "name", "Countess Lovelace");
  await me(api, (account) => account.name === "Countess Lovelace");
  await page.locator(".side .who", { hasText: "Countess Lovelace" }).waitFor();
  await page.selectOption("[name=time_zone]", "Asia/Tokyo");
  await me(api, (account) => account.time_zone === "Asia/Tokyo");
  await page.getByText("This device is in Europe/Berlin").first().waitFor();
  await write(page, "digest_at", "07:30");
  await me(api, (account) => account.notifications.digest_at?.startsWith("07:30"));
  await write(page, "day_reminder_time", "08:15");
  await me(api, (account) => account.day_reminder_time.startsWith("08:15"));
  await page.locator("[name=email_reminders]").click();
  await me(api, (account) => account.notifications.email === false);

  await page.selectOption("[name=theme]", "dark");
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const dark = await background();
  assert.match(dark, /^rgb\((\d\d?), (\d\d?), (\d\d?)\)$/);
  await page.selectOption("[name=language]", "de");
  await page.getByRole("heading", { level: 1, name: "Einstellungen" }).waitFor();
  assert.equal(await background(), dark);
  assert.equal(await page.getAttribute("html", "lang"), "de");
  await client.go("#/inbox");
  await page.fill("#quick-add", "Zahnarzt morgen um 9 Uhr");
  await page.locator(".quick .chip", { hasText: "morgen um 9 Uhr" }).waitFor();
  await page.press("#quick-add", "Enter");
  const task = await api.has("Zahnarzt", (found) => found.due_date !== null);
  // Nine o'clock in the person's zone, which is another than the device's.
  assert.match(task.due_date, /T00:00:00/);
  await client.row("Zahnarzt").getByText(/Morgen, 0?9:00/).waitFor();
});

scenario("tokens and webhooks are made, used and deleted", async (stage) => {
  const { api, page } = await settings(stage);
  const tokens = page.getByRole("region", { name: "API tokens" });
  await tokens.locator("[name=token_name]").fill("Script");
  await tokens.getByLabel("May change tasks").check();
  await tokens.getByRole("button", { name: "Create" }).click();
  const token = await tokens.locator("code").textContent();
  const script = new Api(stage.url, { access_token: token, user: { id: api.user } });
  await script.create({ title: "Made by a script" });
  await tokens.getByRole("button", { name: "Delete: Script" }).click();
  await until("the token is void", async () => script.get("/api/tasks").then(() => false, (error) => /401/.test(error.message)));

  const received = [];
  const receiver = createServer((request, response) => {
    request.resume().on("end", () => {
      received.push(request.headers);
      response.end();
    });
  }).listen(0, "127.0.0.1");
  await once(receiver, "listening");
  try {
    const url = `http://127.0.0.1:${receiver.address().port}/`;
    const webhooks = page.getByRole("region", { name: "Webhooks" });
    await webhooks.locator("[name=url]").fill("ftp://example.org");
    await webhooks.getByRole("button", { name: "Add" }).click();
    await webhooks.locator(".error", { hasText: /\w/ }).waitFor();
    await webhooks.locator("[name=url]").fill(url);
    await webhooks.getByRole("button", { name: "Add" }).click();
    await webhooks.locator("code", { hasText: "whsec_" }).waitFor();
    await webhooks.getByRole("button", { name: "Send a test" }).click();
    await until("a signed request", () => received.some((headers) => headers["webhook-signature"]));
    await webhooks.getByRole("button", { name: `Delete: ${url}` }).click();
    await until("no webhook", async () => (await api.get("/api/webhooks")).length === 0);
  } finally {
    receiver.close();
  }
});

scenario("a copy of everything is downloaded", async (stage) => {
  const { api, page } = await settings(stage);
  await api.create({ title: "Pay the rent" });
  await page.locator(".side a.nav", { hasText: "Inbox" }).getByText("1").waitFor();
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("region", { name: "Export" }).getByRole("button").click(),
  ]);
  const copy = JSON.parse(await readFile(await download.path(), "utf8"));
  assert.deepEqual(copy.tasks.map((task) => task.title), ["Pay the rent"]);
});

scenario("the links of mails confirm an address and set a new password", async (stage) => {
  const { email } = stage.account;
  const { api, page } = await settings(stage);
  await page.getByText("not confirmed yet").waitFor();
  const [verify] = await mail(MAIL, email, /http:\/\/\S*verify\S+/);
  const guest = await stage.window();
  await guest.page.goto(verify);
  await guest.page.getByRole("button", { name: "Confirm" }).click();
  await guest.page.getByText("Your e-mail address is confirmed.").waitFor();
  await me(api, (account) => account.email_verified);

  await guest.go("#/forgot");
  await guest.page.fill("[name=email]", email);
  await guest.page.click("[type=submit]");
  await guest.page.getByText("a link is on its way").waitFor();
  const [reset] = await mail(MAIL, email, /http:\/\/\S*reset\S+/);
  await guest.page.goto(reset);
  const password = "another good password";
  await guest.page.fill("[name=password]", password);
  await guest.page.click("[type=submit]");
  await guest.page.getByText("The password has been changed.").waitFor();
  await guest.signIn({ email, password });
  await guest.heading("Today").waitFor();
});
