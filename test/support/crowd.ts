/** Many clients of one side at once, each on a connection of its own, who come again when they are turned away. */
import { connect, type Socket } from "node:net";
import { until } from "./until.ts";

export interface Crowd {
  /** Answers so far, by status. */
  readonly answers: ReadonlyMap<number, number>;
  /** Answers of 503 that did not say when to come again. */
  unsaid(): number;
  /** Connections that ended though nobody here ended them. */
  broken(): number;
  /** Everybody leaves. */
  disperse(): Promise<void>;
}

export interface CrowdOptions {
  /** `http://127.0.0.1:PORT` */
  readonly proxy: string;
  readonly shopper: string;
  readonly clients: number;
  /** Between an answer and the next request, on the average: each waits between half of it and as much again. */
  readonly pauseMs: number;
}

export async function gatherCrowd({ proxy, shopper, clients, pauseMs }: CrowdOptions): Promise<Crowd> {
  const { hostname, port } = new URL(proxy);
  const answers = new Map<number, number>();
  const sockets = new Set<Socket>();
  const request = `GET /cart/1 HTTP/1.1\r\nHost: ${hostname}:${port}\r\nX-Shopper-Id: ${shopper}\r\n\r\n`;
  let unsaid = 0;
  let broken = 0;
  let dispersing = false;
  let connected = 0;

  for (let i = 0; i < clients; i++) {
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    sockets.add(socket);
    let received = "";
    socket.once("connect", () => {
      connected += 1;
      socket.write(request);
    });
    socket.on("data", (chunk) => {
      received += chunk.toString("latin1");
      const status = wholeAnswer(received);
      if (status === undefined) return;
      answers.set(status, (answers.get(status) ?? 0) + 1);
      if (status === 503 && !/^retry-after: \d+\r$/im.test(received)) unsaid += 1;
      received = "";
      setTimeout(() => socket.writable && socket.write(request), pauseMs * (0.5 + Math.random())).unref();
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      sockets.delete(socket);
      if (!dispersing) broken += 1;
    });
  }
  await until(`${clients} connections`, () => connected === clients);

  return {
    answers,
    unsaid: () => unsaid,
    broken: () => broken,
    async disperse() {
      dispersing = true;
      for (const socket of sockets) socket.destroy();
      await until("everybody to be gone", () => sockets.size === 0);
    },
  };
}

/** The status of an answer that came whole, which has to declare its length. */
function wholeAnswer(received: string): number | undefined {
  const end = received.indexOf("\r\n\r\n");
  if (end === -1) return undefined;
  const status = Number(received.slice(9, 12));
  const length = Number(/^content-length: (\d+)\r$/im.exec(received.slice(0, end + 2))?.[1]);
  return received.length >= end + 4 + length ? status : undefined;
}
