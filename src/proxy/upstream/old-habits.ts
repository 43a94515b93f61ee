/**
 * What old servers write and nginx and HAProxy before them bear. Chunk sizes padded with spaces are borne of every
 * upstream. Of one that is `lenient` also, in a response's head: a Content-Length that is said twice or as a list, all
 * equal; `Transfer-Encoding: identity`; a field that is folded over lines. The head is put right before any parser sees
 * it, so that what is ambiguous (lengths that differ, a length and a coding) is refused as of everybody. Nothing of it
 * goes on to a client: that hop is framed anew.
 */
import { type ClientRequest, maxHeaderSize } from "node:http";
import type { Socket } from "node:net";

/** llhttp's LENIENT_SPACES_AFTER_CHUNK_SIZE, as node:http takes it. */
const spacesAfterChunkSize = 1 << 9;
/** What node:http calls a parser of responses. */
const responseType = 2;

/** @param made whose parser stands ready, which it does when it is told of its socket */
export function bearPaddedSizes(made: ClientRequest): void {
  const parser: unknown = Reflect.get(made, "parser");
  if (typeof parser !== "object" || parser === null) return;
  const initialize: unknown = Reflect.get(parser, "initialize");
  if (typeof initialize !== "function") return;
  const resource = { type: "HTTPINCOMINGMESSAGE", req: made };
  Reflect.apply(initialize, parser, [responseType, resource, 0, spacesAfterChunkSize]);
}

/** @param socket that undici has just taken over: its parser is llhttp's too, and has the flag, but no option for it */
export function bearPaddedSizesOfUndici(socket: Socket): void {
  const key = Object.getOwnPropertySymbols(socket).find(({ description }) => description === "parser");
  const parser: unknown = key === undefined ? undefined : Reflect.get(socket, key);
  if (typeof parser !== "object" || parser === null) return;
  const llhttp: unknown = Reflect.get(parser, "llhttp");
  if (typeof llhttp !== "object" || llhttp === null) return;
  const set: unknown = Reflect.get(llhttp, "llhttp_set_lenient_spaces_after_chunk_size");
  if (typeof set === "function") set(Reflect.get(parser, "ptr"), 1);
}

export interface MendedSocket {
  /** A request goes out: the heads of its response are mended, up to the last. */
  begin(): void;
}

const headEnd = "\r\n\r\n";

/** Stands before the socket's `push`, by which alone it takes what has come in. */
export function mendHeads(socket: Socket): MendedSocket {
  const push = socket.push.bind(socket);
  let isAwaited = false;
  let kept: Buffer | undefined;

  socket.push = (chunk: unknown, encoding?: BufferEncoding) => {
    if (!isAwaited) return push(chunk, encoding);
    const before = kept;
    kept = undefined;
    if (Buffer.isBuffer(chunk)) {
      const out = pass(before === undefined ? chunk : Buffer.concat([before, chunk]));
      return out.length === 0 || push(out);
    }
    isAwaited = false;
    if (before !== undefined) push(before);
    return push(chunk, encoding);
  };

  /** @returns what may go on of it now; all as it came where it is none that can be mended */
  function pass(bytes: Buffer): Buffer {
    const out: Buffer[] = [];
    for (let at = 0; at < bytes.length; ) {
      const end = bytes.indexOf(headEnd, at);
      const isWhole = end !== -1;
      if (hasBareLineFeed(bytes, at, isWhole ? end : bytes.length) || bytes.length - at > maxHeaderSize) {
        isAwaited = false;
      } else if (isWhole) {
        const head = bytes.toString("latin1", at, end);
        isAwaited = /^HTTP\/1\.\d 1(?!01)/.test(head);
        out.push(Buffer.from(mendedHead(head) + headEnd, "latin1"));
        at = end + headEnd.length;
      } else {
        kept = bytes.subarray(at);
        break;
      }
      if (isAwaited) continue;
      out.push(bytes.subarray(at));
      break;
    }
    return Buffer.concat(out);
  }

  return {
    begin() {
      isAwaited = true;
      kept = undefined;
    },
  };
}

function hasBareLineFeed(bytes: Buffer, from: number, to: number): boolean {
  for (let at = bytes.indexOf(0x0a, from); at !== -1 && at < to; at = bytes.indexOf(0x0a, at + 1)) {
    if (at === from || bytes[at - 1] !== 0x0d) return true;
  }
  return false;
}

/**
 * @param head latin1, without its last line's end
 * @returns the same where there is nothing to mend, or nothing that can be
 */
function mendedHead(head: string): string {
  const lines = unfolded(head.split("\r\n"));
  const lengths = lines.filter(isLength);
  const codings = lines.filter((line) => /^transfer-encoding:/i.test(line));
  if (lengths.length === 0) {
    const [only = "", ...more] = codings;
    const isIdentity = more.length === 0 && /^[^:]*:[\t ]*identity[\t ]*$/i.test(only);
    return (isIdentity ? lines.filter((line) => line !== only) : lines).join("\r\n");
  }
  const said = lengths.flatMap((line) => behindColon(line).split(",")).map((value) => value.trim());
  const [length = ""] = said;
  if (said.length === 1 || !/^\d+$/.test(length) || said.some((other) => other !== length)) {
    return lines.join("\r\n");
  }
  const first = lines.findIndex(isLength);
  return lines
    .flatMap((line, index) => {
      if (!isLength(line)) return [line];
      return index === first ? [`Content-Length: ${length}`] : [];
    })
    .join("\r\n");
}

function isLength(line: string): boolean {
  return /^content-length:/i.test(line);
}

function behindColon(line: string): string {
  return line.slice(line.indexOf(":") + 1);
}

/** RFC 9112 §5.2: a line that begins with white space goes on with the field before it; before the first there is none. */
function unfolded(lines: readonly string[]): string[] {
  const out: string[] = [];
  for (const line of lines) {
    const isFolded = /^[\t ]/.test(line) && out.length > 1;
    if (isFolded) out.push(`${(out.pop() ?? "").trimEnd()} ${line.trim()}`.trimEnd());
    else out.push(line);
  }
  return out;
}
