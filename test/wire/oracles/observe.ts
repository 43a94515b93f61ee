/** What an upstream sees of bytes that went through a proxy, and what the client is told. */
import { createServer, type Socket } from "node:net";
import { type ReceivedRequest, readRequest, valuesOf } from "../../support/raw-upstream.ts";
import { connectRaw, type RawClient, readResponse } from "../../support/wire-client.ts";

export interface Witness {
  readonly url: URL;
  /** What came since it was last asked. */
  take(): Testimony;
  close(): Promise<void>;
}

export interface Testimony {
  readonly requests: readonly ReceivedRequest[];
  /** Why bytes that came are no HTTP in canonical framing. */
  readonly faults: readonly string[];
  /** Octets of a request that did not come whole. */
  readonly unfinished: number;
}

/** An upstream that answers everything it can read strictly, and notes what it cannot. */
export async function startWitness(): Promise<Witness> {
  const sockets = new Map<Socket, Buffer>();
  let requests: ReceivedRequest[] = [];
  let faults: string[] = [];
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.set(socket, Buffer.alloc(0));
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    socket.on("data", (chunk) => {
      let bytes = Buffer.concat([sockets.get(socket) ?? Buffer.alloc(0), chunk]);
      try {
        for (let read = readRequest(bytes); read !== undefined; read = readRequest(bytes)) {
          bytes = Buffer.from(bytes.subarray(read.octets));
          requests.push(read.request);
          const length = read.request.line.startsWith("HEAD ") ? "" : "ok";
          socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n${length}`);
        }
        sockets.set(socket, bytes);
      } catch (error) {
        faults.push(
          `${error instanceof Error ? error.message : ""} in ${JSON.stringify(bytes.toString("latin1"))}`,
        );
        socket.destroy();
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    url: new URL(`http://127.0.0.1:${address.port}`),
    take() {
      let unfinished = 0;
      for (const [socket, bytes] of sockets) {
        unfinished += bytes.length;
        // Its peer would else take the next request for the rest of this one.
        if (bytes.length > 0) socket.destroy();
      }
      const told = { requests, faults, unfinished };
      requests = [];
      faults = [];
      return told;
    },
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets.keys()) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

export interface Observation extends Testimony {
  /** Statuses of the answers, in their order; 0 is one that is no sound HTTP. */
  readonly statuses: readonly number[];
}

/**
 * Sends the parts on a connection of their own and waits: for the answers expected, for the end of the connection, or
 * for silence.
 *
 * @param methods of the requests in the parts, one an answer that is expected
 */
export async function observe(
  proxy: URL,
  witness: Witness,
  parts: readonly string[],
  methods: readonly string[],
  silenceMs = 80,
): Promise<Observation> {
  const client = await connectRaw(proxy);
  try {
    if (parts.length === 1) client.write(parts[0] ?? "");
    else await client.writeParts(parts);
    const statuses = await answers(client, methods, silenceMs);
    return { statuses, ...witness.take() };
  } finally {
    client.reset();
  }
}

const askMs = 10;

async function answers(client: RawClient, methods: readonly string[], silenceMs: number): Promise<number[]> {
  const statuses: number[] = [];
  let at = 0;
  let heard = -1;
  let since = performance.now();
  /** How often it was asked since: where a busy machine stops this process, the clock alone says nothing. */
  let asked = 0;
  for (;;) {
    const bytes = client.unread();
    const ended = client.closedBy() !== "open";
    try {
      const read = readResponse(bytes.subarray(at), methods[statuses.length] ?? "GET", ended);
      if (read !== undefined && read.octets > 0) {
        at += read.octets;
        statuses.push(read.response.status);
        if (statuses.length >= methods.length) return statuses;
        continue;
      }
    } catch {
      statuses.push(0);
      return statuses;
    }
    if (ended) return statuses;
    if (bytes.length !== heard) {
      heard = bytes.length;
      since = performance.now();
      asked = 0;
    }
    if (performance.now() - since > silenceMs && asked > silenceMs / askMs / 2) return statuses;
    asked += 1;
    await client.changed(askMs);
  }
}

/** The requests as far as proxies must agree about them: method, target, authority and content. */
export function essence({ requests }: Testimony): string[] {
  return requests.map(({ line, fields, body }) => {
    const host = valuesOf(fields, "host").join("|");
    return `${line.replace(/ HTTP\/1\.1$/, "")} @${host} ${JSON.stringify(body.toString("latin1"))}`;
  });
}
