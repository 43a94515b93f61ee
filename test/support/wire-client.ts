/**
 * A client on a bare TCP socket: it sends the exact bytes it is given and reads answers with a strict reader of its
 * own, so that it can judge what an HTTP library wrote. It tells an answer that came whole from one broken off.
 */
import { connect, type Socket } from "node:net";
import { valuesOf } from "./raw-upstream.ts";
import { turn } from "./until.ts";

export interface ReceivedHead {
  readonly line: string;
  readonly status: number;
  readonly reason: string;
  /** Flat list, as on the wire (latin1). */
  readonly fields: readonly string[];
}

export interface ReceivedResponse extends ReceivedHead {
  readonly interims: readonly ReceivedHead[];
  readonly framing: "none" | "sized" | "chunked" | "until close";
  readonly body: Buffer;
  readonly trailers: readonly string[];
}

export interface RawClient {
  readonly socket: Socket;
  /** Strings are written as latin1. */
  write(bytes: string | Buffer): void;
  /** Writes the parts one by one, each in a packet of its own. */
  writeParts(parts: readonly (string | Buffer)[]): Promise<void>;
  /** Every byte received so far. */
  received(): Buffer;
  /** Bytes received that no `response` has taken. */
  unread(): Buffer;
  /**
   * Takes the next answer, whole, with the interim ones before it.
   *
   * @param method of the request: an answer to HEAD has no content
   * @returns rejects when the connection ends inside it or before it, or when it is not HTTP
   */
  response(method?: string): Promise<ReceivedResponse>;
  /** Resolves when something came or the peer closed, or after that time. */
  changed(withinMs: number): Promise<void>;
  /** How the peer closed: not yet, cleanly, or by a reset. */
  closedBy(): "open" | "fin" | "reset";
  /** Resolves when the peer has closed. */
  closed(): Promise<"fin" | "reset">;
  /** Sends the end of what it says; it still reads. */
  end(): void;
  /** Closes by a reset. */
  reset(): void;
}

export async function connectRaw(url: string | URL): Promise<RawClient> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), noDelay: true, allowHalfOpen: true });
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve).once("error", reject);
  });
  const chunks: Buffer[] = [];
  /** What came since `unread` was last put together: a large body is put together once, not at each of its packets. */
  let fresh: Buffer[] = [];
  let rest: Buffer = Buffer.alloc(0);
  const unread = () => {
    if (fresh.length > 0) rest = Buffer.concat([rest, ...fresh]);
    fresh = [];
    return rest;
  };
  let closedBy: "open" | "fin" | "reset" = "open";
  let listeners: (() => void)[] = [];
  const changed = () => {
    const heard = listeners;
    listeners = [];
    for (const listener of heard) listener();
  };
  socket.on("data", (chunk) => {
    chunks.push(chunk);
    fresh.push(chunk);
    changed();
  });
  socket.on("end", () => {
    if (closedBy === "open") closedBy = "fin";
    changed();
  });
  socket.on("error", () => {
    closedBy = "reset";
    changed();
  });
  socket.on("close", changed);
  const change = () => new Promise<void>((resolve) => listeners.push(resolve));
  const write = (bytes: string | Buffer) => {
    if (socket.writable) socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
  };

  return {
    socket,
    write,
    async writeParts(parts) {
      for (const part of parts) {
        if (part.length > 0) write(part);
        await turn();
        await turn();
      }
    },
    received: () => Buffer.concat(chunks),
    unread,
    async response(method = "GET") {
      for (;;) {
        const bytes = unread();
        const read = readResponse(bytes, method, closedBy !== "open");
        if (read !== undefined) {
          rest = bytes.subarray(read.octets);
          return read.response;
        }
        if (closedBy !== "open") {
          throw new Error(`the connection ended (${closedBy}) after ${JSON.stringify(tail(bytes))}`);
        }
        await change();
      }
    },
    changed(withinMs) {
      return new Promise((resolve) => {
        const timer = setTimeout(resolve, withinMs);
        listeners.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    },
    closedBy: () => closedBy,
    async closed() {
      while (closedBy === "open") await change();
      return closedBy;
    },
    end: () => void socket.end(),
    // `resetAndDestroy` sends an end first and waits for what is still to be written; this does neither.
    reset: () => void Object.assign(socket, { resetAndClosing: true }).destroy(),
  };
}

const tail = (bytes: Buffer) => bytes.subarray(-200).toString("latin1");

type Read<Part> = { readonly octets: number } & Part;

/**
 * Reads one answer, strictly.
 *
 * @param ended whether the connection ended, which ends a body that only its close delimits
 * @returns undefined while it is not whole
 */
export function readResponse(
  bytes: Buffer,
  method: string,
  ended: boolean,
): Read<{ response: ReceivedResponse }> | undefined {
  const interims: ReceivedHead[] = [];
  for (let at = 0; ; ) {
    const read = readHead(bytes, at);
    if (read === undefined) return undefined;
    at = read.octets;
    const { head } = read;
    if (head.status < 200) {
      if (head.status === 101) throw new Error("101: nobody asked for another protocol");
      interims.push(head);
      continue;
    }
    const content = readContent(bytes, at, head, method, ended);
    return content && { octets: content.octets, response: { ...head, ...content.content, interims } };
  }
}

function readHead(bytes: Buffer, at: number): Read<{ head: ReceivedHead }> | undefined {
  const end = bytes.indexOf("\r\n\r\n", at);
  if (end === -1) return undefined;
  const [line = "", ...rest] = bytes.toString("latin1", at, end).split("\r\n");
  const [, status, reason] = /^HTTP\/1\.1 ([1-9]\d\d) ([\t\x20-\x7e\x80-\xff]*)$/.exec(line) ?? [];
  if (status === undefined || reason === undefined) throw new Error(`not a status line: ${tell(line)}`);
  return { octets: end + 4, head: { line, status: Number(status), reason, fields: rest.flatMap(readField) } };
}

function readField(line: string): [string, string] {
  const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+): ([\t\x20-\x7e\x80-\xff]*)$/.exec(line) ?? [];
  if (name === undefined || value === undefined) throw new Error(`not a field: ${tell(line)}`);
  return [name, value];
}

interface Content {
  readonly framing: ReceivedResponse["framing"];
  readonly body: Buffer;
  readonly trailers: readonly string[];
}

/** RFC 9112 §6.3. */
function readContent(
  bytes: Buffer,
  start: number,
  { status, fields }: ReceivedHead,
  method: string,
  ended: boolean,
): Read<{ content: Content }> | undefined {
  const lengths = valuesOf(fields, "content-length");
  const codings = valuesOf(fields, "transfer-encoding");
  if (lengths.length + codings.length > 1)
    throw new Error(`more than one framing: ${tell(fields.join(" "))}`);
  if (method === "HEAD" || status === 204 || status === 304) {
    return { octets: start, content: { framing: "none", body: Buffer.alloc(0), trailers: [] } };
  }
  const [coding] = codings;
  if (coding !== undefined) {
    if (coding !== "chunked") throw new Error(`a transfer coding ${tell(coding)}`);
    const read = readChunked(bytes, start);
    return read && { octets: read.octets, content: { framing: "chunked", ...read.content } };
  }
  const [length] = lengths;
  if (length === undefined) {
    if (!ended) return undefined;
    const body = bytes.subarray(start);
    return { octets: bytes.length, content: { framing: "until close", body, trailers: [] } };
  }
  if (!/^(?:0|[1-9]\d*)$/.test(length)) throw new Error(`a content length ${tell(length)}`);
  const octets = start + Number(length);
  if (bytes.length < octets) return undefined;
  return {
    octets,
    content: { framing: "sized", body: Buffer.from(bytes.subarray(start, octets)), trailers: [] },
  };
}

/** RFC 9112 §7.1, without extensions: what a sender that frames canonically writes. */
export function readChunked(
  bytes: Buffer,
  start: number,
): Read<{ content: { body: Buffer; trailers: readonly string[] } }> | undefined {
  const parts: Buffer[] = [];
  for (let at = start; ; ) {
    const lineEnd = bytes.indexOf("\r\n", at);
    if (lineEnd === -1) return undefined;
    const size = bytes.toString("latin1", at, lineEnd);
    if (!/^(?:0|[1-9A-Fa-f][0-9A-Fa-f]*)$/.test(size)) throw new Error(`a chunk size ${tell(size)}`);
    const octets = Number.parseInt(size, 16);
    if (octets === 0) {
      if (bytes.toString("latin1", lineEnd + 2, lineEnd + 4) === "\r\n") {
        return { octets: lineEnd + 4, content: { body: Buffer.concat(parts), trailers: [] } };
      }
      const end = bytes.indexOf("\r\n\r\n", lineEnd + 2);
      if (end === -1) return undefined;
      const trailers = bytes
        .toString("latin1", lineEnd + 2, end)
        .split("\r\n")
        .flatMap(readField);
      return { octets: end + 4, content: { body: Buffer.concat(parts), trailers } };
    }
    const end = lineEnd + 2 + octets;
    if (bytes.length < end + 2) return undefined;
    if (bytes.toString("latin1", end, end + 2) !== "\r\n") throw new Error("a chunk without its end");
    parts.push(bytes.subarray(lineEnd + 2, end));
    at = end + 2;
  }
}

const tell = (text: string) => JSON.stringify(text.slice(0, 200));
