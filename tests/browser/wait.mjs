// Waiting for what happens elsewhere.
import { setTimeout as after } from "node:timers/promises";

const WAIT_MS = 20_000;
const PAUSE_MS = 25;

/** Asks until the answer is neither false nor an error, and gives it back. */
export async function until(what, ask, limit = WAIT_MS) {
  const end = performance.now() + limit;
  for (;;) {
    let seen;
    try {
      const answer = await ask();
      if (answer) return answer;
      seen = answer;
    } catch (error) {
      seen = error.message;
    }
    if (performance.now() > end) throw new Error(`waited in vain for ${what}: ${seen}`);
    await after(PAUSE_MS);
  }
}
