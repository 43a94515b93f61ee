/**
 * What stands at the front of each response, looked at before undici reads it, because undici 7
 * - calls a 100 (Continue) nobody asked for a bad response and closes the connection; a client can simply discard one
 *   (RFC 9110 §15.2.1), and old servers send them unasked: it is taken away;
 * - reads the reason phrase as UTF-8, of one that came in two packets the end alone, and does not tell the version: a
 *   status line that is not plain ASCII, or of another HTTP, is noted;
 * - reads a status line without end for ever: the connection is closed.
 */
import { maxHeaderSize } from "node:http";
import type { Socket } from "node:net";

const headEnd = "\r\n\r\n";
const lineFeed = 0x0a;
const digitOne = 0x31;
/** Where the status begins behind the version. */
const statusAt = "HTTP/1.1 ".length;
const plainStart = Buffer.from("HTTP/1.", "latin1");

export interface ResponseFront {
  /** A request goes out on the socket: its response is what is looked at, up to the line of its last status. */
  begin(): void;
  /** The status line that undici was last given (latin1, without its end), where it is not plain; else undefined. */
  oddLine(): string | undefined;
}

/** Stands before the socket's `read`, by which alone undici takes bytes from it. */
export function createResponseFront(socket: Socket): ResponseFront {
  const read = socket.read.bind(socket);
  let atFront = false;
  let held: Buffer | undefined;
  let odd: string | undefined;

  socket.read = (size) => {
    const chunk: unknown = read(size);
    if (!atFront || size === 0) return chunk;
    if (Buffer.isBuffer(chunk)) return pass(held === undefined ? chunk : Buffer.concat([held, chunk]));
    // What was kept behind an interim response is next.
    return held === undefined ? chunk : pass(held);
  };

  /** @returns what undici may have of it now: one head of an interim response, or all from the last one's on */
  function pass(bytes: Buffer): Buffer | null {
    held = undefined;
    for (let at = 0; ; ) {
      const end = bytes.indexOf(lineFeed, at);
      if (end === -1) return hold(bytes, at);
      odd = isPlain(bytes, at, end) ? undefined : lineOf(bytes, at, end);
      if (bytes[at + statusAt] !== digitOne) return last(bytes, at);
      const next = bytes.indexOf(headEnd, at) + headEnd.length;
      if (next < headEnd.length) return hold(bytes, at);
      if (!isContinue(bytes, at)) {
        if (next < bytes.length) held = bytes.subarray(next);
        return bytes.subarray(at, next);
      }
      at = next;
      if (at === bytes.length) return null;
    }
  }

  function hold(bytes: Buffer, from: number): null {
    if (bytes.length - from > maxHeaderSize) {
      socket.destroy(Object.assign(new Error("a head without end"), { code: "UND_ERR_HEADERS_OVERFLOW" }));
    } else if (from < bytes.length) held = bytes.subarray(from);
    return null;
  }

  function last(bytes: Buffer, from: number): Buffer {
    atFront = false;
    return from === 0 ? bytes : bytes.subarray(from);
  }

  return {
    begin() {
      atFront = true;
      held = undefined;
      odd = undefined;
    },
    oddLine: () => odd,
  };
}

function isPlain(bytes: Buffer, from: number, to: number): boolean {
  for (let i = 0; i < plainStart.length; i++) if (bytes[from + i] !== plainStart[i]) return false;
  for (let i = from + plainStart.length; i < to; i++) if ((bytes[i] ?? 0) > 0x7e) return false;
  return true;
}

function lineOf(bytes: Buffer, from: number, to: number): string {
  return bytes.toString("latin1", from, to).replace(/\r$/, "");
}

function isContinue(bytes: Buffer, at: number): boolean {
  return bytes[at + statusAt + 1] === 0x30 && bytes[at + statusAt + 2] === 0x30;
}
