// The API as another program of the same person uses it: to prepare an account, and to compare what a page shows with
// what the server has.
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { until } from "./wait.mjs";

/** Operations that a batch may have. */
const BATCH_MAX = 100;

export class Api {
  #url;
  #token;

  constructor(url, session) {
    this.#url = url;
    this.#token = session.access_token;
    this.user = session.user.id;
  }

  static async register(url, account) {
    return new Api(url, await request(url, "POST", "/api/auth/register", account));
  }

  static async login(url, account) {
    const { email, password } = account;
    return new Api(url, await request(url, "POST", "/api/auth/login", { email, password }));
  }

  call(method, path, body) {
    return request(this.#url, method, path, body, this.#token);
  }

  get(path) {
    return this.call("GET", path);
  }

  post(path, body = {}) {
    return this.call("POST", path, body);
  }

  create(task) {
    return this.post("/api/tasks", task);
  }

  /** All tasks, also completed ones. */
  async tasks() {
    const tasks = [];
    let page = 1;
    for (let path = "/api/tasks?limit=100&deferred=true"; path; page += 1) {
      const response = await send(this.#url, "GET", path, undefined, this.#token);
      tasks.push(...(await response.json()));
      const next = /<([^>]+)>;\s*rel="next"/.exec(response.headers.get("link") ?? "");
      path = next && new URL(next[1], this.#url).pathname + new URL(next[1], this.#url).search;
    }
    return tasks;
  }

  async task(title) {
    const found = (await this.tasks()).filter((task) => task.title === title && task.status !== "completed");
    return found[0];
  }

  /** Waits until the server has a task with this title for which `is` holds. */
  async has(title, is = () => true) {
    return until(`the server has “${title}”`, async () => {
      const tasks = (await this.tasks()).filter((task) => task.title === title);
      return tasks.find(is) ?? Promise.reject(new Error(JSON.stringify(tasks)));
    });
  }

  /** Creates many tasks. */
  async fill(tasks) {
    for (let at = 0; at < tasks.length; at += BATCH_MAX) {
      const operations = tasks.slice(at, at + BATCH_MAX).map((task) => ({ op: "create", task }));
      await this.post("/api/tasks/batch", { operations });
    }
  }
}

async function send(url, method, path, body, token) {
  const headers = {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (token) headers.Authorization = `Bearer ${token}`;
  const response = await fetch(url + path, { method, headers, body: body && JSON.stringify(body) });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return response;
}

async function request(...all) {
  const response = await send(...all);
  return response.status === 204 ? undefined : response.json();
}

/** Waits for a mail to an address whose text matches, and answers the match. Rondo writes mails into a folder. */
export function mail(folder, address, pattern) {
  return until(`a mail to ${address} with ${pattern}`, async () => {
    for (const name of await readdir(folder)) {
      const text = (await readFile(join(folder, name), "utf8")).replace(/=\r?\n/g, "").replace(/=3D/g, "=");
      const found = text.includes(address) && pattern.exec(text);
      if (found) return found;
    }
    throw new Error("none yet");
  });
}
