/**
 * A shop's server whose answers vary as the web's do, and are the same whenever the same is asked: content of many kinds,
 * encoded, in parts, unchanged since; redirections, refusals, early hints; fields in odd spellings, repeated, empty, not
 * ASCII; framed by length, in chunks, by the end of the connection.
 */
import { createHash } from "node:crypto";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { type ReceivedRequest, type Script, valuesOf } from "../../support/raw-upstream.ts";
import { createRandom, type Random } from "../fuzz/random.ts";

/** What a URL has, whoever asks. */
interface Resource {
  readonly type: string;
  readonly content: Buffer;
  readonly etag: string;
}

interface Answer {
  readonly status: number;
  readonly fields: readonly string[];
  readonly content: Buffer;
}

const types = [
  ...["text/html; charset=utf-8", "text/css", "application/javascript", "application/json", "image/png"],
  ...["image/svg+xml", "application/pdf", "font/woff2", "video/mp4", "text/xml;charset=ISO-8859-1"],
  ...["text/csv", "application/octet-stream", "application/problem+json", "multipart/mixed; boundary=x"],
] as const;

const modified = "Tue, 03 Mar 2020 10:00:00 GMT";

/** Fields that a shop's answer may have beside those of its content. */
const oddFields: readonly [readonly string[], ...(readonly string[])[]] = [
  ["Set-Cookie: a=1; Path=/; HttpOnly", "set-cookie: b=2; SameSite=Lax", "SET-COOKIE: c=; Max-Age=0"],
  ["Set-Cookie: __Host-sid=1; Path=/; Secure", 'Set-Cookie: d="x y"; Expires=Wed, 09 Jun 2032 10:18:14 GMT'],
  ["Link: </a.css>; rel=preload", "link: </b.js>; rel=preload; as=script"],
  ['WWW-Authenticate: Basic realm="a, b"', "WWW-Authenticate: Digest realm=x"],
  ["x-odd-CASE: 1", "X-ODD-case: 2"],
  ["X-Empty: ", "X-Latin: d\u00e9j\u00e0 \u00ff"],
  ["Cache-Control: no-cache", "cache-control: max-age=0, private"],
  ["Access-Control-Allow-Origin: *", "Timing-Allow-Origin: *", "Server-Timing: db;dur=5"],
  ["Server: nginx/1.25.3", "X-Powered-By: PHP/8.1", "ETAG-LIKE: W/x"],
  ["Content-Disposition: attachment; filename*=UTF-8''%e2%82%ac.txt", "Content-Language: id, en"],
  ['Alt-Svc: h3=":443"', "Strict-Transport-Security: max-age=63072000", "Age: 17"],
  ["Connection: X-Hop", "X-Hop: of this connection"],
  [`X-Long: ${"v".repeat(3000)}`],
];

/** Tells one body from another. */
export function digestOf(bytes: Buffer): string {
  return `${bytes.length}-${createHash("sha256").update(bytes).digest("hex").slice(0, 16)}`;
}

export const origin: Script = (connection) =>
  connection.onRequest((request) => {
    const { bytes, isLast } = answerTo(request);
    connection.write(bytes);
    if (isLast) connection.socket.end();
  });

function answerTo(request: ReceivedRequest): { readonly bytes: Buffer; readonly isLast: boolean } {
  const [method = "", target = ""] = request.line.split(" ");
  const random = createRandom(createHash("sha256").update(target).digest().readUInt32LE(), 0);
  const answer = contentOf(request, method, target, random);
  const odd = random.chance(0.6) ? [...random.pick(oddFields), ...random.pick(oddFields)] : [];
  const date = random.chance(0.7) ? ["Date: Sun, 06 Nov 1994 08:49:37 GMT"] : [];
  const reason = random.pick(["OK", "Ya Ada", "", "D\u00e9j\u00e0 vu"]);
  const isEmpty = method === "HEAD" || answer.status === 204 || answer.status === 304;
  const { fields, body, isLast } = framed(answer, isEmpty, random);
  const early =
    random.chance(0.1) && answer.status === 200
      ? "HTTP/1.1 103 Early Hints\r\nLink: </early.css>; rel=preload\r\nX-Early: 1\r\n\r\n"
      : "";
  const head = [`HTTP/1.1 ${answer.status} ${reason}`, ...date, ...answer.fields, ...odd, ...fields];
  return {
    bytes: Buffer.concat([Buffer.from(`${early}${head.join("\r\n")}\r\n\r\n`, "latin1"), body]),
    isLast,
  };
}

function contentOf(request: ReceivedRequest, method: string, target: string, random: Random): Answer {
  const nothing = Buffer.alloc(0);
  const kind = random.weighted([
    [70, "resource"],
    [12, "elsewhere"],
    [10, "refused"],
    [4, "nothing"],
    [4, "empty"],
  ]);
  if (kind === "elsewhere") {
    const status = random.pick([301, 302, 303, 307, 308]);
    const port = valuesOf(request.fields, "host")[0] ?? "";
    const to = random.pick([
      "/cart/2?x=1",
      "../up",
      "?q",
      "//cdn.example/a",
      `http://${port}/b#c`,
      "https://bank.example/3ds?a=b%20c",
    ]);
    return {
      status,
      fields: [`Location: ${to}`, "Content-Location: /canonical"],
      content: Buffer.from("moved"),
    };
  }
  if (kind === "refused") {
    const status = random.pick([400, 401, 403, 404, 405, 409, 410, 422, 429, 451, 500, 501, 503, 599]);
    return {
      status,
      fields: ["Retry-After: 120", "Content-Type: text/plain"],
      content: Buffer.from(`no ${target}`),
    };
  }
  if (kind === "nothing") return { status: 204, fields: ["X-Nothing: here"], content: nothing };
  if (kind === "empty") return { status: 200, fields: ["Content-Type: text/plain"], content: nothing };
  const content = Buffer.from(Array.from({ length: random.integer(6000) }, () => random.integer(256)));
  const etag = `"${digestOf(content)}"`;
  const resource = { type: random.pick(types), content, etag };
  return method === "GET" || method === "HEAD" ? given(request, resource) : taken(request, method, resource);
}

/** What a form, an upload, an edit is answered: with what came of it, however it was framed. */
function taken({ fields, body, trailers }: ReceivedRequest, method: string, { type }: Resource): Answer {
  const told = { method, type: valuesOf(fields, "content-type"), trailers, body: digestOf(body) };
  return {
    status: method === "PUT" ? 201 : 200,
    fields: [`Content-Type: ${type}`],
    content: Buffer.from(JSON.stringify(told)),
  };
}

/** RFC 9110 §13.2.2, §14.2, §12.5.3, in short. */
function given({ fields }: ReceivedRequest, { type, content, etag }: Resource): Answer {
  const first = (name: string) => valuesOf(fields, name)[0];
  const about = [
    `ETag: ${etag}`,
    `Last-Modified: ${modified}`,
    "Accept-Ranges: bytes",
    "Vary: Accept-Encoding",
  ];
  const isKnown = (first("if-none-match") ?? "").includes(etag) || first("if-modified-since") === modified;
  if (isKnown)
    return { status: 304, fields: [...about, "Cache-Control: max-age=60"], content: Buffer.alloc(0) };
  const range = /^bytes=(\d*)-(\d*)(,\d+-\d+)?$/.exec(first("range") ?? "");
  if (range !== null) return partOf({ type, content, etag }, about, range);
  const accepted = valuesOf(fields, "accept-encoding").join();
  for (const [coding, encode] of codings) {
    if (!accepted.includes(coding)) continue;
    return {
      status: 200,
      fields: [`Content-Type: ${type}`, ...about, `Content-Encoding: ${coding}`],
      content: encode(content),
    };
  }
  return { status: 200, fields: [`content-type: ${type}`, ...about], content };
}

const codings = [
  ["br", brotliCompressSync],
  ["gzip", gzipSync],
  ["deflate", deflateSync],
] as const;

function partOf({ type, content }: Resource, about: readonly string[], range: readonly string[]): Answer {
  const [, from = "", to = "", more] = range;
  const start = from === "" ? Math.max(0, content.length - Number(to)) : Number(from);
  if (start >= content.length) {
    return { status: 416, fields: [`Content-Range: bytes */${content.length}`], content: Buffer.alloc(0) };
  }
  const end = from === "" || to === "" ? content.length : Math.min(content.length, Number(to) + 1);
  const part = content.subarray(start, end);
  const place = `Content-Range: bytes ${start}-${end - 1}/${content.length}`;
  if (more === undefined)
    return { status: 206, fields: [`Content-Type: ${type}`, place, ...about], content: part };
  const parted = `--sep\r\nContent-Type: ${type}\r\n${place}\r\n\r\n${part.toString("latin1")}\r\n--sep--\r\n`;
  return {
    status: 206,
    fields: ["Content-Type: multipart/byteranges; boundary=sep", ...about],
    content: Buffer.from(parted, "latin1"),
  };
}

function framed({ content }: Answer, isEmpty: boolean, random: Random) {
  const way = random.weighted([
    [6, "length"],
    [3, "chunks"],
    [1, "end"],
  ]);
  if (isEmpty) {
    // To HEAD and with 304 a length is said of what is not sent.
    return {
      fields: content.length > 0 ? [`Content-Length: ${content.length}`] : [],
      body: Buffer.alloc(0),
      isLast: false,
    };
  }
  if (way === "length")
    return { fields: [`CONTENT-length: ${content.length}`], body: content, isLast: false };
  if (way === "end") return { fields: ["Connection: close"], body: content, isLast: true };
  const trailers = random.chance(0.5) ? ["X-Sum: 1", "x-SUM: 2"] : [];
  const chunks: Buffer[] = [];
  for (let at = 0; at < content.length; ) {
    const chunk = content.subarray(at, at + 1 + random.integer(2000));
    chunks.push(Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from("\r\n"));
    at += chunk.length;
  }
  chunks.push(Buffer.from(`0\r\n${trailers.map((one) => `${one}\r\n`).join("")}\r\n`));
  const named = trailers.length > 0 ? ["Trailer: X-Sum"] : [];
  return { fields: [...named, "Transfer-Encoding: chunked"], body: Buffer.concat(chunks), isLast: false };
}
