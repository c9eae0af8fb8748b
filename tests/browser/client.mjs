// The page as a person uses it: by what is written on it, and by the names of its fields.

import { until } from "./wait.mjs";

export class Client {
  constructor(page, context) {
    this.page = page;
    this.context = context;
    this.keyboard = page.keyboard;
  }

  /** Goes to a place of the client, such as `#/inbox`. */
  async go(place) {
    await this.page.goto(`/${place}`);
  }

  async signIn({ email, password }) {
    const { page } = this;
    await this.go("");
    await page.fill("[name=email]", email);
    await page.fill("[name=password]", password);
    await page.click("[type=submit]");
    await this.ready();
  }

  /** Waits until the first sync has ended. */
  async ready() {
    await this.synced();
    await this.page.locator(".empty", { hasText: "Loading" }).waitFor({ state: "detached" });
  }

  /** Waits until everything done here is on the server. */
  async synced() {
    await this.state("Up to date").waitFor({ state: "attached" });
  }

  /** Waits until the service worker keeps the page's files. */
  installed() {
    return until("the service worker is active", () => this.page.evaluate(async () => {
      const registration = await navigator.serviceWorker.getRegistration();
      return registration?.active !== undefined && registration.active !== null;
    }));
  }

  /** How the connection is, in words. */
  state(words) {
    return this.page.locator(".side .state", { hasText: words });
  }

  heading(name) {
    return this.page.getByRole("heading", { level: 1, name });
  }

  /** The row of a task in the main column. */
  row(title) {
    return this.page.locator(".main .row", { has: this.page.getByRole("link", { name: title, exact: true }) });
  }

  rows() {
    return this.page.locator(".main .row a.title");
  }

  titles() {
    return this.rows().allTextContents();
  }

  /** Adds a task by the quick-add line. */
  async add(line) {
    await this.page.fill("#quick-add", line);
    await this.page.press("#quick-add", "Enter");
  }

  panel() {
    return this.page.locator("aside.panel");
  }

  /** Opens the panel of a task whose row is shown. */
  async open(title) {
    await this.row(title).getByRole("link", { name: title, exact: true }).click();
    await this.panel().waitFor();
  }

  async close() {
    await this.panel().getByRole("button", { name: "Close" }).click();
    await this.panel().waitFor({ state: "detached" });
  }

  /** A line of the panel, with its value. */
  value(name) {
    return this.panel().getByRole("button", { name: `${name}:` });
  }

  /** Clicks a line of the panel, which opens what changes it. */
  async part(name) {
    await this.value(name).click();
  }

  /** Picks an entry of the menu that is open. */
  async choose(name) {
    const items = this.page.locator(".menu button", { hasText: name });
    await items.first().click();
  }

  /** Opens the menu of a row and picks an entry. */
  async act(title, name) {
    await this.row(title).hover();
    await this.row(title).getByRole("button", { name: `More: ${title}` }).click();
    await this.choose(name);
  }

  dialog() {
    return this.page.locator("dialog[open]");
  }

  toast(words) {
    return this.page.locator(".toast", { hasText: words });
  }

  async undo() {
    await this.page.locator(".toast button", { hasText: "Undo" }).last().click();
  }
}
