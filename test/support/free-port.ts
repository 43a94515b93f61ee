/** Ports for programs that cannot be told to take any and say which. */
import { randomInt } from "node:crypto";
import { findPort } from "../../src/instance/sockets.ts";

/**
 * Between the moment a port is found free and the moment its program listens there, nobody else may be given it: not by the
 * system or by an instance (both take theirs from 15,000 on), not by a test file that runs beside this one (each of vitest's
 * workers has ports of its own), and not twice by this one.
 */
const lowest = 10_000;
const ofEach = 250;
const first = lowest + (Number(process.env.VITEST_POOL_ID ?? 0) % 20) * ofEach;
let given = randomInt(ofEach);
/** The only one of them that an instance refuses to listen on for its administration. */
const refusedByBrowsers = 10_080;

/** @returns a port of 127.0.0.1 that nobody listens on just now @throws Error when none is free */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < ofEach; attempt += 1) {
    given += 1;
    const port = first + (given % ofEach);
    if (port === refusedByBrowsers) continue;
    try {
      return await findPort({ host: "127.0.0.1", port });
    } catch {
      // Somebody listens there: the next one.
    }
  }
  throw new Error(`no port from ${first} to ${first + ofEach - 1} is free`);
}
