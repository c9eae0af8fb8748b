// A test in a real browser: an account of its own behind a proxy of its own, and windows that each have storage of
// their own, as on another device. A page that breaks fails its test. What a failed test saw is kept in target/browser:
// a trace (`npx playwright show-trace`), a screenshot and the console of each window.
import { mkdir, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import test from "node:test";
import { Api } from "./api.mjs";
import { Client } from "./client.mjs";
import { ZONE } from "./day.mjs";
import { Proxy } from "./proxy.mjs";

/** Of the packages that xtask fetched: NODE_PATH names them. */
export const require = createRequire(import.meta.url);
const { chromium } = require("playwright-core");

const { RONDO_URL, RONDO_MAIL, RONDO_KEPT, RONDO_CHROMIUM } = process.env;
export const MAIL = RONDO_MAIL;
export const PASSWORD = "correct horse battery";
/** Of one test, on a machine that does other things. */
const TEST_MS = 300_000;
const ACTION_MS = 20_000;

/** What the console says when the client panics, or its page does what its own policy forbids. */
const BROKEN = /panicked|Content Security Policy/;

let browser;
let number = 0;

test.after(() => browser?.close());

/** Defines a test. It gets a stage. `traced` is off where recording would change what is measured. */
export function scenario(name, act, { traced = true } = {}) {
  test(name, { timeout: TEST_MS }, async () => {
    browser ??= await chromium.launch({
      executablePath: RONDO_CHROMIUM,
      // Tests run as root in containers, where Chromium's sandbox cannot be made.
      args: ["--no-sandbox"],
    });
    const stage = new Stage(name, traced, await Proxy.start(RONDO_URL));
    try {
      await act(stage);
      stage.assertWhole();
      await stage.close();
    } catch (error) {
      await stage.keep();
      throw error;
    } finally {
      await stage.proxy.stop();
    }
  });
}

class Stage {
  #windows = [];
  #traced;
  #folder;

  constructor(name, traced, proxy) {
    this.proxy = proxy;
    this.#traced = traced;
    this.#folder = join(RONDO_KEPT, name.replace(/[^a-z0-9]+/gi, "-"));
    number += 1;
    this.account = {
      email: `person.${process.pid}.${number}@example.org`,
      password: PASSWORD,
      name: "Ada Lovelace",
      time_zone: ZONE,
    };
  }

  get url() {
    return this.proxy.url;
  }

  /** Registers the account, past the proxy, and answers its way to the API. */
  async register() {
    this.api = await Api.register(RONDO_URL, this.account);
    return this.api;
  }

  async login() {
    this.api = await Api.login(RONDO_URL, this.account);
    return this.api;
  }

  /** A window with storage of its own. */
  async window(options = {}) {
    const context = await browser.newContext({
      viewport: { width: 1280, height: 800 },
      locale: "en-GB",
      timezoneId: ZONE,
      baseURL: this.url,
      ...options,
    });
    context.setDefaultTimeout(ACTION_MS);
    if (this.#traced) await context.tracing.start({ screenshots: true, snapshots: true });
    return this.tab({ context, name: `window-${this.#windows.length + 1}`, console: [], faults: [] });
  }

  /** Another tab of a window, or its first. */
  async tab(window) {
    const page = await window.context.newPage();
    const client = new Client(page, window.context);
    client.window = window;
    window.client ??= client;
    if (!this.#windows.includes(window)) this.#windows.push(window);
    page.on("console", (message) => {
      window.console.push(`${message.type()}: ${message.text()}`);
      if (message.type() === "error" && BROKEN.test(message.text())) window.faults.push(message.text());
    });
    page.on("pageerror", (error) => {
      window.faults.push(error.message);
      window.console.push(`broken: ${error.stack}`);
    });
    return client;
  }

  /** A window whose person is signed in and whose tasks are there. */
  async signedIn(options) {
    const client = await this.window(options);
    await client.signIn(this.account);
    return client;
  }

  /** Panics of the client, and exceptions of its scripts. */
  assertWhole() {
    const faults = this.#windows.flatMap((window) => window.faults);
    if (faults.length > 0) throw new Error(`a page broke: ${faults.join("\n")}`);
  }

  async close() {
    for (const { context } of this.#windows) await context.close();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async keep() {
    await rm(this.#folder, { recursive: true, force: true });
    await mkdir(this.#folder, { recursive: true });
    for (const { context, name, console } of this.#windows) {
      const file = (end) => join(this.#folder, `${name}${end}`);
      await writeFile(file(".log"), console.join("\n"));
      for (const [at, page] of context.pages().entries()) {
        // A page that hangs has no picture.
        await page.screenshot({ path: file(`-${at + 1}.png`), timeout: 5_000 }).catch(() => {});
      }
      if (this.#traced) await context.tracing.stop({ path: file(".zip") }).catch(() => {});
      await context.close();
    }
    console.error(`kept: ${this.#folder}`);
  }
}
