// A TCP proxy in front of Rondo that can be cut, as a network can. It listens on a port of its own, so each test has
// an origin, and with it storage and a service worker, of its own.
import { once } from "node:events";
import net from "node:net";

const SOCKET = /^GET \/ws[ ?]/;

export class Proxy {
  #target;
  #server;
  #connections = new Set();
  #isCut = false;
  #sockets = new Set();
  /** How many WebSockets were ever opened. */
  opened = 0;

  static async start(target) {
    const proxy = new Proxy();
    proxy.#target = new URL(target);
    proxy.#server = net.createServer((client) => proxy.#accept(client));
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  get url() {
    return `http://127.0.0.1:${this.#server.address().port}`;
  }

  /** WebSockets that are open now. */
  get sockets() {
    return this.#sockets.size;
  }

  /** Ends every connection, and all that follow until `mend`. */
  cut() {
    this.#isCut = true;
    for (const connection of this.#connections) connection.destroy();
  }

  mend() {
    this.#isCut = false;
  }

  async stop() {
    this.cut();
    this.#server.close();
    await once(this.#server, "close");
  }

  #accept(client) {
    if (this.#isCut) return client.destroy();
    const server = net.connect(this.#target.port, this.#target.hostname);
    for (const [from, to] of [[client, server], [server, client]]) {
      this.#connections.add(from);
      from.on("error", () => {});
      from.on("close", () => {
        this.#connections.delete(from);
        this.#sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
    // A browser sends the head of a request in one piece.
    client.on("data", (data) => {
      if (!this.#sockets.has(client) && SOCKET.test(data.toString("latin1", 0, 8))) {
        this.#sockets.add(client);
        this.opened += 1;
      }
    });
  }
}
