/**
 * The third reading: strict RFC 9112, written apart from any HTTP library. What a proxy forwards must be what is read
 * here, request by request; where this refuses, no proxy of ours may go on. It is lenient in three things that change
 * no framing: CR and LF before a request, several spaces in the request line, and a length with leading zeros.
 */
export interface ReadRequest {
  readonly method: string;
  readonly target: string;
  readonly body: string;
}

export interface Reading {
  readonly requests: readonly ReadRequest[];
  /** What is behind them: nothing that matters, part of a request, or what is none. */
  readonly rest: "end" | "incomplete" | "invalid";
}

export function readAll(bytes: string): Reading {
  const requests: ReadRequest[] = [];
  for (let at = 0; ; ) {
    while (bytes[at] === "\r" || bytes[at] === "\n") at += 1;
    if (at >= bytes.length) return { requests, rest: "end" };
    const read = readOne(bytes, at);
    if (typeof read === "string") return { requests, rest: read };
    requests.push(read.request);
    if (read.isLast) return { requests, rest: "end" };
    at = read.end;
  }
}

interface One {
  readonly request: ReadRequest;
  readonly end: number;
  readonly isLast: boolean;
}

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const requestLine = new RegExp(`^(${token}) +([!-~\\x80-\\xff]+) +HTTP/1\\.([01])$`);
const field = new RegExp(`^(${token}):[ \\t]*([\\t\\x20-\\x7e\\x80-\\xff]*?)[ \\t]*$`);

function readOne(bytes: string, start: number): One | "incomplete" | "invalid" {
  const headEnd = bytes.indexOf("\r\n\r\n", start);
  const head = bytes.slice(start, headEnd === -1 ? bytes.length : headEnd);
  if (headEnd === -1) return /(?<!\r)\n|\r(?!\n|$)/.test(head) ? "invalid" : "incomplete";
  const [line = "", ...lines] = head.split("\r\n");
  const [, method, target, minor] = requestLine.exec(line) ?? [];
  if (method === undefined || target === undefined) return "invalid";
  const fields = readFields(lines);
  if (fields === undefined) return "invalid";
  const of = (name: string) => fields.flatMap(([found, value]) => (found === name ? [value] : []));
  const [lengths, codings] = [of("content-length"), of("transfer-encoding")];
  const says = (option: string) =>
    of("connection").some((value) => value.split(",").some((one) => one.trim().toLowerCase() === option));
  const isLast = says("close") || (minor === "0" && !says("keep-alive"));
  const at = headEnd + 4;
  if (lengths.length + codings.length > 1) return "invalid";
  const [length] = lengths;
  const [coding] = codings;
  if (coding !== undefined) {
    if (coding.toLowerCase() !== "chunked" || minor === "0") return "invalid";
    const read = readChunks(bytes, at);
    if (typeof read === "string") return read;
    return { request: { method, target, body: read.body }, end: read.end, isLast };
  }
  if (length !== undefined && !/^\d{1,15}$/.test(length)) return "invalid";
  const end = at + Number(length ?? 0);
  if (bytes.length < end) return "incomplete";
  return { request: { method, target, body: bytes.slice(at, end) }, end, isLast };
}

function readFields(lines: readonly string[]): [string, string][] | undefined {
  const fields: [string, string][] = [];
  for (const line of lines) {
    const [, name, value] = field.exec(line) ?? [];
    if (name === undefined || value === undefined) return undefined;
    fields.push([name.toLowerCase(), value]);
  }
  return fields;
}

/** RFC 9112 §7.1; an extension may be anything printable, since nothing of it goes on. */
const chunkSize = /^([0-9A-Fa-f]{1,12})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?$/;

function readChunks(bytes: string, start: number): { body: string; end: number } | "incomplete" | "invalid" {
  let body = "";
  for (let at = start; ; ) {
    const lineEnd = bytes.indexOf("\r\n", at);
    if (lineEnd === -1) return "incomplete";
    const [, hex] = chunkSize.exec(bytes.slice(at, lineEnd)) ?? [];
    if (hex === undefined) return "invalid";
    const size = Number.parseInt(hex, 16);
    at = lineEnd + 2;
    if (size === 0) {
      if (bytes.startsWith("\r\n", at)) return { body, end: at + 2 };
      const end = bytes.indexOf("\r\n\r\n", at);
      if (end === -1) return "incomplete";
      return readFields(bytes.slice(at, end).split("\r\n")) === undefined
        ? "invalid"
        : { body, end: end + 4 };
    }
    if (bytes.length < at + size + 2) return "incomplete";
    if (!bytes.startsWith("\r\n", at + size)) return "invalid";
    body += bytes.slice(at, at + size);
    at += size + 2;
  }
}
