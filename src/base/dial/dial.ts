/** Makes a connection to a host, TLS included where it is wanted, within one bound for the name, its addresses and the handshake. */
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { type Connected, connectToHost, type HostOptions } from "./connect.ts";

interface DialOptions extends HostOptions {
  /** Begins TLS over the connection. */
  readonly secure?: ((plain: Socket) => TLSSocket) | undefined;
  readonly withinMs: number;
}

/** Of the error that says that the time is over. */
export const connectTimeoutCode = "ERR_CONNECT_TIMEOUT";

/**
 * @param told once, in a later turn: a socket that can be written to and whose peer is known, or why there is none
 * @returns the way to give up, after which nothing is told
 */
export function dialHost({ secure, withinMs, ...place }: DialOptions, told: Connected): () => void {
  let isOver = false;
  let securing: TLSSocket | undefined;
  const conclude = () => {
    isOver = true;
    clearTimeout(timer);
  };
  const giveUp = () => {
    if (isOver) return;
    conclude();
    leave();
    securing?.destroy();
  };
  const tell: Connected = (error, socket) => {
    if (isOver) return;
    conclude();
    told(error, socket);
  };
  const timer = setTimeout(() => {
    giveUp();
    told(Object.assign(new Error("connect timeout"), { code: connectTimeoutCode }));
  }, withinMs);
  const leave = connectToHost(place, (error, plain) => {
    if (plain === undefined || secure === undefined) {
      tell(error, plain);
      return;
    }
    const socket = secure(plain);
    securing = socket;
    socket.once("secureConnect", () => tell(null, socket));
    socket.on("error", tell);
    socket.once("close", () => tell(Object.assign(new Error("closed"), { code: "ECONNRESET" })));
  });
  return giveUp;
}
