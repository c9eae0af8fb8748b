// Access tokens that live for seconds (ACCESS_SECONDS of the test), and a clock of this device that is wrong about them.
import assert from "node:assert/strict";
import { scenario } from "./stage.mjs";
import { until } from "./wait.mjs";

/** The access token that the page has. */
function kept(page) {
  return page.evaluate(() => {
    const entry = Object.values(localStorage).find((value) => value.includes("access_token"));
    return JSON.parse(entry);
  });
}

scenario("a token that expires in the middle of a sync is renewed, and nothing is lost", async (stage) => {
  const api = await stage.register();
  await api.create({ title: "Known before" });
  const client = await stage.signedIn();
  const { page } = client;
  await client.go("#/inbox");
  await client.row("Known before").waitFor();
  // The page believes that its token is good for an hour, as with a clock that is late.
  await page.evaluate(() => {
    for (const [name, value] of Object.entries(localStorage)) {
      if (value.includes("access_token")) {
        localStorage.setItem(name, JSON.stringify({ ...JSON.parse(value), expires_at: Date.now() + 3_600_000 }));
      }
    }
  });
  const old = (await kept(page)).access_token;
  await until("the token expires", async () => {
    const answer = await fetch(`${stage.url}/api/auth/me`, { headers: { Authorization: `Bearer ${old}` } });
    return answer.status === 401;
  });
  for (const title of ["First after it", "Second after it", "Third after it"]) await client.add(title);
  const server = await stage.login();
  for (const title of ["First after it", "Second after it", "Third after it"]) await server.has(title);
  await client.synced();
  assert.notEqual((await kept(page)).access_token, old);
  // The socket is there again.
  await server.create({ title: "From elsewhere" });
  await client.row("From elsewhere").waitFor();
  const titles = (await server.tasks()).map((task) => task.title).sort();
  assert.deepEqual(titles, ["First after it", "From elsewhere", "Known before", "Second after it", "Third after it"]);
});

scenario("a session that was ended elsewhere asks to sign in, and keeps what was not sent", async (stage) => {
  const api = await stage.register();
  await api.create({ title: "Known before" });
  const client = await stage.signedIn();
  await client.go("#/inbox");
  await client.row("Known before").waitFor();
  stage.proxy.cut();
  await client.state("Offline").waitFor({ state: "attached" });
  await client.add("Written meanwhile");
  const { refresh_token } = await kept(client.page);
  await api.post("/api/auth/logout", { refresh_token });
  stage.proxy.mend();
  await client.page.locator("[name=password]").waitFor();
  await client.page.fill("[name=email]", stage.account.email);
  await client.page.fill("[name=password]", stage.account.password);
  await client.page.click("[type=submit]");
  await client.ready();
  await client.go("#/inbox");
  await client.row("Written meanwhile").waitFor();
  const server = await stage.login();
  await server.has("Written meanwhile");
});
