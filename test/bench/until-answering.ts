import { once } from "node:events";
import { get } from "node:http";
import { get as getSecurely } from "node:https";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** @throws Error when nothing answers 200 there within 20 s */
export async function untilAnswering(url: string): Promise<void> {
  for (let attempt = 0; attempt < 400; attempt++) {
    if ((await statusOf(url)) === 200) return;
    await sleep(50);
  }
  throw new Error(`${url} does not answer 200`);
}

/** @throws Error when no connection is taken there within 20 s */
export async function untilAccepting(port: number): Promise<void> {
  for (let attempt = 0; attempt < 400; attempt++) {
    const socket = connect(port, "127.0.0.1");
    try {
      await once(socket, "connect");
      return;
    } catch {
      await sleep(50);
    } finally {
      socket.destroy();
    }
  }
  throw new Error(`nobody takes a connection on port ${port}`);
}

/** @returns `undefined` while nothing answers; whichever certificate is shown is taken */
function statusOf(url: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    const options = { agent: false, rejectUnauthorized: false } as const;
    (url.startsWith("https:") ? getSecurely : get)(url, options, (response) => {
      resolve(response.statusCode);
      response.resume();
    }).on("error", () => resolve(undefined));
  });
}
