/** Ports for programs that cannot be told to take any and say which. */
import { findPort } from "../../src/instance/sockets.ts";

/** @returns a port of 127.0.0.1 that nobody listens on just now */
export function freePort(): Promise<number> {
  return findPort({ host: "127.0.0.1", port: 0 });
}
