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
import { soundReason } from "../failure.ts";

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
  let kept: Buffer | undefined;
  let odd: string | undefined;

  socket.read = (size) => {
    const chunk: unknown = read(size);
    if (!atFront || size === 0) return chunk;
    if (Buffer.isBuffer(chunk)) return pass(kept === undefined ? chunk : Buffer.concat([kept, chunk]));
    // What was kept behind an interim response is next.
    return kept === undefined ? chunk : pass(kept);
  };

  /** @returns what undici may have of it now: one head of an interim response, or all from the last one's on */
  function pass(bytes: Buffer): Buffer | null {
    kept = undefined;
    for (let at = 0; ; ) {
      const end = bytes.indexOf(lineFeed, at);
      if (end === -1) return keep(bytes, at);
      odd = isPlain(bytes, at, end) ? undefined : lineOf(bytes, at, end);
      if (bytes[at + statusAt] !== digitOne) return last(bytes, at);
      const next = bytes.indexOf(headEnd, at) + headEnd.length;
      if (next < headEnd.length) return keep(bytes, at);
      if (!isContinue(bytes, at)) {
        if (next < bytes.length) kept = bytes.subarray(next);
        return bytes.subarray(at, next);
      }
      at = next;
      if (at === bytes.length) return null;
    }
  }

  function keep(bytes: Buffer, from: number): null {
    if (bytes.length - from > maxHeaderSize) {
      socket.destroy(Object.assign(new Error("a head without end"), { code: "UND_ERR_HEADERS_OVERFLOW" }));
    } else if (from < bytes.length) kept = bytes.subarray(from);
    return null;
  }

  function last(bytes: Buffer, from: number): Buffer {
    atFront = false;
    return from === 0 ? bytes : bytes.subarray(from);
  }

  return {
    begin() {
      atFront = true;
      kept = undefined;
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

const notAscii = /[^\t\x20-\x7e]/;

/**
 * @param told by undici, which has lost the octets beyond ASCII
 * @param oddLine the status line itself, where it is not plain
 * @returns the reason phrase, or nothing where it could not be written again as it is
 */
export function reasonOf(told: string, oddLine: string | undefined): string {
  if (oddLine !== undefined) return soundReason(/^HTTP\/\d\.\d \d{3} (.*)$/s.exec(oddLine)?.[1] ?? "");
  return notAscii.test(told) ? "" : told;
}

/**
 * The fields of a head as byte strings. A packet is decoded once and cut, at half the cost of decoding each part. Undici
 * gives values with the spaces behind them, which are none of theirs (RFC 9112 §5.1).
 *
 * @param raw as undici gives them: parts of the packet they came in, nearly always all of one
 */
export function decodedFields(raw: readonly (string | Buffer)[]): string[] {
  const first = raw[0];
  const last = raw[raw.length - 1];
  const fields = new Array<string>(raw.length);
  if (!(first instanceof Uint8Array && last instanceof Uint8Array)) return decodedEach(raw, fields);
  const { buffer, byteOffset: start } = first;
  const end = last.byteOffset + last.length;
  if (last.buffer !== buffer || end < start) return decodedEach(raw, fields);
  const text = Buffer.from(buffer, start, end - start).toString("latin1");
  for (let i = 0; i < raw.length; i++) {
    const part = raw[i];
    if (!(part instanceof Uint8Array) || part.buffer !== buffer) return decodedEach(raw, fields);
    const at = part.byteOffset - start;
    fields[i] = text.slice(at, i % 2 === 0 ? at + part.length : endOf(text, at, at + part.length));
  }
  return fields;
}

function decodedEach(raw: readonly (string | Buffer)[], fields: string[]): string[] {
  for (let i = 0; i < raw.length; i++) {
    const part = raw[i];
    const text = typeof part === "string" ? part : (part?.toString("latin1") ?? "");
    fields[i] = i % 2 === 0 ? text : text.slice(0, endOf(text, 0, text.length));
  }
  return fields;
}

/** @returns the end of a value without the spaces behind it */
function endOf(text: string, start: number, end: number): number {
  let at = end;
  while (at > start && (text[at - 1] === " " || text[at - 1] === "\t")) at -= 1;
  return at;
}
