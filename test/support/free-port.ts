/** Ports for programs that cannot be told to take any and say which. */
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";

/**
 * Below the ports that systems give to connections of their own (32768 on, Linux; 49152 on, elsewhere), any of which
 * may be taken between the moment it is found free and the moment the program listens.
 */
const lowest = 15_000;
const highest = 32_767;

/** @returns a port of 127.0.0.1 that nobody listens on just now */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = randomInt(lowest, highest + 1);
    const server = createServer();
    server.listen(port, "127.0.0.1");
    const isFree = await once(server, "listening").then(
      () => true,
      () => false,
    );
    if (!isFree) continue;
    server.close();
    await once(server, "close");
    return port;
  }
  throw new Error("no port is free");
}
