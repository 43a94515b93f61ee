/** Clients that leave in the middle of an answer. */
import { connect } from "node:net";

export interface Aborts {
  /** Requests sent so far. */
  sent(): number;
  /** Resolves when nobody is left. */
  stop(): Promise<void>;
}

const everyMs = 100;
/** The answer takes five seconds. */
const mostMs = 400;

export function startAborts(port: number): Aborts {
  const open = new Set<Promise<void>>();
  let sent = 0;
  const timer = setInterval(() => {
    const gone = new Promise<void>((resolve) => {
      const socket = connect({ port, host: "127.0.0.1" });
      // Written at once when it is connected, so that it was sent if that is told.
      socket.once("connect", () => {
        socket.write(`GET /cart/huge HTTP/1.1\r\nHost: shop.example\r\nCookie: sid=shopper-${sent}\r\n\r\n`);
        sent += 1;
        setTimeout(() => socket.destroy(), Math.random() * mostMs);
      });
      socket.on("data", () => {});
      socket.on("error", () => {});
      socket.on("close", () => resolve());
    });
    open.add(gone);
    void gone.then(() => open.delete(gone));
  }, everyMs);
  return {
    sent: () => sent,
    async stop() {
      clearInterval(timer);
      await Promise.all(open);
    },
  };
}
