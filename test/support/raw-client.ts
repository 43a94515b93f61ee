/** A client on a bare socket: it sends the bytes it is given and keeps every byte that comes back. */
import { connect, type Socket } from "node:net";
import { until } from "./until.ts";

export interface RawClient {
  readonly socket: Socket;
  /** Strings are written as latin1. */
  send(bytes: string | Buffer): void;
  /** All that came, latin1. */
  text(): string;
  received(): number;
  /** How the peer closed: not yet, cleanly, or by a reset. */
  closedBy(): "open" | "fin" | "reset";
  /** Waits until the text holds this. */
  saw(what: string, withinMs?: number): Promise<void>;
  ended(withinMs?: number): Promise<void>;
}

export async function rawClient(port: number, allowHalfOpen = true): Promise<RawClient> {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen, noDelay: true });
  const chunks: Buffer[] = [];
  let length = 0;
  let closedBy: "open" | "fin" | "reset" = "open";
  socket.on("data", (chunk) => {
    chunks.push(chunk);
    length += chunk.length;
  });
  socket.on("end", () => {
    if (closedBy === "open") closedBy = "fin";
  });
  socket.on("error", () => {
    closedBy = "reset";
  });
  await new Promise<void>((resolve) => socket.once("connect", resolve));
  const text = () => Buffer.concat(chunks).toString("latin1");
  return {
    socket,
    send: (bytes) => void socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes),
    text,
    received: () => length,
    closedBy: () => closedBy,
    saw: (what, withinMs) =>
      until(`the client sees ${JSON.stringify(what)}`, () => text().includes(what), withinMs),
    ended: (withinMs) => until("the client's connection ends", () => closedBy !== "open", withinMs),
  };
}
