/** Opens undici's TCP connections to one upstream. */
import { connect as connectSocket } from "node:net";
import type { buildConnector } from "undici";
import { codes } from "./failure.ts";

const tcpKeepAliveMs = 60_000;

/**
 * Made here and not by undici because its connect timeout ticks in half seconds, and because of a fault in it: on
 * ECONNRESET it takes a body that only the close delimits for complete, and throws from the event loop when that body
 * is paused. Under the code of its own socket errors it fails the request instead, as it should.
 */
export function createConnector(timeoutMs: number): buildConnector.connector {
  return ({ hostname, port }, callback) => {
    let pending = true;
    const socket = connectSocket({ host: hostname, port: port === "" ? 80 : Number(port), noDelay: true });
    const timer = setTimeout(() => {
      socket.destroy(Object.assign(new Error("connect timeout"), { code: codes.connectTimeout }));
    }, timeoutMs);
    socket.setKeepAlive(true, tcpKeepAliveMs);
    socket.once("connect", () => {
      clearTimeout(timer);
      pending = false;
      callback(null, socket);
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      if (pending) {
        pending = false;
        callback(error, null);
      } else if (error.code === "ECONNRESET") error.code = "UND_ERR_SOCKET";
    });
  };
}
