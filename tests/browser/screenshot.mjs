// Writes the pictures of the README: `screenshot.mjs RONDO FOLDER` starts a Rondo with demo data of its own and takes
// Today in light and dark.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { Client } from "./client.mjs";
import { ZONE } from "./day.mjs";

const { chromium } = createRequire(import.meta.url)("playwright-core");

const [, , rondo, folder] = process.argv;
const SIZE = { width: 1200, height: 750 };
const BYTES_MAX = 120 * 1024;
const EMAIL = "ada@example.org";

const data = await mkdtemp(join(tmpdir(), "rondo-screenshot-"));
const server = spawn(rondo, ["up", "--listen", "127.0.0.1:0", "--data", join(data, "data")],
  { stdio: ["ignore", "pipe", "inherit"] });
const ended = once(server, "exit");
try {
  const url = await address(server.stdout);
  const demo = await promisify(execFile)(rondo, ["demo", "--url", url, "--email", EMAIL, "--time-zone", ZONE]);
  const [, password] = /password +(\S+)/.exec(demo.stdout);
  await mkdir(folder, { recursive: true });
  const browser = await chromium.launch({ executablePath: process.env.RONDO_CHROMIUM, args: ["--no-sandbox"] });
  for (const colorScheme of ["light", "dark"]) {
    const context = await browser.newContext({ viewport: SIZE, colorScheme, baseURL: url, locale: "en-GB", timezoneId: ZONE });
    const client = new Client(await context.newPage(), context);
    await client.signIn({ email: EMAIL, password });
    await client.rows().first().waitFor();
    await client.page.mouse.move(0, 0);
    const path = join(folder, `today-${colorScheme}.png`);
    await client.page.screenshot({ path, animations: "disabled", caret: "hide" });
    const { size } = await stat(path);
    console.log(`${path}: ${Math.ceil(size / 1024)} kB`);
    assert.ok(size < BYTES_MAX, `${path} has ${size} bytes`);
    await context.close();
  }
  await browser.close();
} finally {
  server.kill("SIGTERM");
  await ended;
  await rm(data, { recursive: true, force: true });
}

/** The address that a started Rondo prints. */
async function address(output) {
  for await (const line of createInterface({ input: output })) {
    const found = /^Rondo is up: (http\S+?),? /.exec(line) ?? /(http:\/\/127\.0\.0\.1:\d+)/.exec(line);
    if (found) {
      output.resume();
      return found[1];
    }
  }
  throw new Error("Rondo did not start");
}
