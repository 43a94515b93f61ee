/**
 * Node watches no socket that it neither reads nor writes, and does not hear that such a one was reset. The system knows,
 * since such a connection has no peer any more. (An end that the peer sent properly is behind octets that are still to be
 * read, and is heard of when they are.)
 */
import { constants } from "node:os";
import type { Duplex, Writable } from "node:stream";

/** What is not read is asked about as often as this, in milliseconds: what waits for it is let go within 100. */
export const lostAfterMs = 50;

/** Whether the peer of a socket, plain or TLS, has reset the connection. `remoteAddress` asks once and remembers. */
export function isReset(socket: Duplex): boolean {
  const handle: unknown = Reflect.get(socket, "_handle");
  if (typeof handle !== "object" || handle === null) return false;
  const getpeername: unknown = Reflect.get(handle, "getpeername");
  return typeof getpeername === "function" && getpeername.call(handle, {}) === -constants.errno.ENOTCONN;
}

/** How long a client may take nothing of an answer that waits for it. */
const stalledMs = 300_000;

/** What was written waits for its reader: one that takes nothing for so long is gone, whatever its connection says. */
export function awaitReader(stream: Writable, withinMs: number = stalledMs): void {
  const timer = setTimeout(() => stream.destroy(), withinMs);
  const stop = () => {
    clearTimeout(timer);
    stream.off("drain", stop).off("close", stop);
  };
  stream.on("drain", stop).on("close", stop);
}
