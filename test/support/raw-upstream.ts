/**
 * An upstream on a bare TCP socket: it records the exact bytes each connection receives and answers the bytes a
 * script gives it. Its reading of requests is its own, so that it can judge what an HTTP library wrote.
 */
import { createServer, type Socket } from "node:net";

export interface ReceivedRequest {
  readonly line: string;
  /** Flat list, as on the wire (latin1). */
  readonly fields: readonly string[];
  readonly framing: "none" | "sized" | "chunked";
  readonly body: Buffer;
  /** Flat list; empty unless chunked. */
  readonly trailers: readonly string[];
}

export interface RawConnection {
  readonly socket: Socket;
  /** Every byte received so far. */
  received(): Buffer;
  /** The requests that came whole, in order. */
  readonly requests: ReceivedRequest[];
  /** Bytes received that belong to no whole request. */
  unread(): Buffer;
  /** Strings are written as latin1. */
  write(bytes: string | Buffer): void;
  /** Sends what was written, then a reset and no end before it. */
  reset(): void;
  /** How the peer closed its side: not yet, cleanly, or by a reset. */
  closedBy(): "open" | "fin" | "reset";
  onRequest(listener: (request: ReceivedRequest) => void): void;
}

export interface RawUpstream {
  readonly url: URL;
  readonly connections: RawConnection[];
  /** All requests that came whole, over all connections, in the order they came. */
  requests(): ReceivedRequest[];
  close(): Promise<void>;
}

export type Script = (connection: RawConnection, index: number) => void;

export async function startRawUpstream(script: Script): Promise<RawUpstream> {
  const connections: RawConnection[] = [];
  const requests: ReceivedRequest[] = [];
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const connection = record(socket);
    connections.push(connection);
    connection.onRequest((request) => requests.push(request));
    script(connection, connections.length - 1);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    url: new URL(`http://127.0.0.1:${address.port}`),
    connections,
    requests: () => requests,
    close: () =>
      new Promise((resolve) => {
        for (const { socket } of connections) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

/** Answers the first request of all with the first of the answers, the next with the next, then the last again. */
export function answering(...answers: readonly (string | Buffer)[]): Script {
  let next = 0;
  return (connection) => {
    connection.onRequest(() => {
      connection.write(answers[Math.min(next++, answers.length - 1)] ?? "");
    });
  };
}

function record(socket: Socket): RawConnection {
  const chunks: Buffer[] = [];
  const requests: ReceivedRequest[] = [];
  const listeners: ((request: ReceivedRequest) => void)[] = [];
  let unread: Buffer = Buffer.alloc(0);
  let closedBy: "open" | "fin" | "reset" = "open";
  socket.on("data", (chunk) => {
    chunks.push(chunk);
    unread = Buffer.concat([unread, chunk]);
    for (let read = readRequest(unread); read !== undefined; read = readRequest(unread)) {
      unread = unread.subarray(read.octets);
      requests.push(read.request);
      for (const listener of listeners) listener(read.request);
    }
  });
  socket.on("end", () => {
    if (closedBy === "open") closedBy = "fin";
  });
  socket.on("error", () => {
    closedBy = "reset";
  });
  return {
    socket,
    received: () => Buffer.concat(chunks),
    requests,
    unread: () => unread,
    write: (bytes) => {
      socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
    },
    closedBy: () => closedBy,
    // `resetAndDestroy` sends a FIN first; `destroy` with this flag set does not.
    reset: () => {
      Object.assign(socket, { resetAndClosing: true }).destroy();
    },
    onRequest: (listener) => listeners.push(listener),
  };
}

/** Reads one request, strictly; undefined while it is not whole. */
export function readRequest(bytes: Buffer): { request: ReceivedRequest; octets: number } | undefined {
  const headEnd = bytes.indexOf("\r\n\r\n");
  if (headEnd === -1) return undefined;
  const [line = "", ...rest] = bytes.toString("latin1", 0, headEnd).split("\r\n");
  const fields = rest.flatMap(readField);
  const start = headEnd + 4;
  const lengths = valuesOf(fields, "content-length");
  const codings = valuesOf(fields, "transfer-encoding");
  if (lengths.length + codings.length > 1) throw new Error("more than one framing");
  if (codings.length === 1) {
    if (codings[0] !== "chunked") throw new Error("another transfer coding than chunked");
    const chunked = readChunked(bytes, start);
    if (chunked === undefined) return undefined;
    const { end, body, trailers } = chunked;
    return { request: { line, fields, framing: "chunked", body, trailers }, octets: end };
  }
  const length = Number(lengths[0] ?? 0);
  if (bytes.length < start + length) return undefined;
  const body = Buffer.from(bytes.subarray(start, start + length));
  return {
    request: { line, fields, framing: lengths.length === 1 ? "sized" : "none", body, trailers: [] },
    octets: start + length,
  };
}

function readField(text: string): [string, string] {
  const colon = text.indexOf(": ");
  if (colon < 1) throw new Error(`not a field: ${JSON.stringify(text)}`);
  return [text.slice(0, colon), text.slice(colon + 2)];
}

function readChunked(
  bytes: Buffer,
  start: number,
): { body: Buffer; trailers: string[]; end: number } | undefined {
  const parts: Buffer[] = [];
  for (let at = start; ; ) {
    const lineEnd = bytes.indexOf("\r\n", at);
    if (lineEnd === -1) return undefined;
    const size = bytes.toString("latin1", at, lineEnd);
    if (!/^[0-9a-f]+$/i.test(size)) throw new Error(`not a chunk size: ${JSON.stringify(size)}`);
    const octets = Number.parseInt(size, 16);
    if (octets === 0) {
      // The last chunk's line, then trailer fields, then an empty line.
      const empty = bytes.indexOf("\r\n\r\n", lineEnd);
      if (empty === -1) return undefined;
      const trailers = bytes.toString("latin1", lineEnd + 2, Math.max(lineEnd + 2, empty)).split("\r\n");
      return {
        body: Buffer.concat(parts),
        trailers: trailers.filter(Boolean).flatMap(readField),
        end: empty + 4,
      };
    }
    const end = lineEnd + 2 + octets + 2;
    if (bytes.length < end) return undefined;
    if (bytes.toString("latin1", end - 2, end) !== "\r\n") throw new Error("a chunk without its end");
    parts.push(bytes.subarray(lineEnd + 2, end - 2));
    at = end;
  }
}

/** Values of every field of that name in a flat list, in order. */
export function valuesOf(fields: readonly string[], name: string): string[] {
  const values: string[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i]?.toLowerCase() === name) values.push(fields[i + 1] ?? "");
  }
  return values;
}
