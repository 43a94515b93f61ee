/**
 * What clients and attackers send: mostly sound requests, each with a few oddities of the kind that proxies have read
 * differently from those behind them.
 */
import { createRandom, type Random } from "./random.ts";

export interface Case {
  readonly number: number;
  /** As they are written to the socket, latin1, each in a packet of its own. */
  readonly parts: readonly string[];
}

export function caseOf(seed: number, number: number): Case {
  const random = createRandom(seed, number);
  const count = random.weighted([
    [80, 1],
    [15, 2],
    [5, 3],
  ]);
  let bytes = random.chance(0.03) ? random.pick(["\r\n", "\r\n\r\n", "\n", " ", "\r"]) : "";
  for (let i = 0; i < count; i++) bytes += requestOf(random, i === count - 1);
  return { number, parts: split(random, bytes) };
}

function requestOf(random: Random, isLast: boolean): string {
  const eol = random.chance(0.96) ? "\r\n" : random.pick(["\n", "\r", "\r\r\n", "\n\r", " \r\n"]);
  const framing = framingOf(random);
  const fields = [...hostFields(random), ...framing.fields, ...otherFields(random)];
  if (random.chance(0.3)) shuffle(random, fields);
  if (isLast && random.chance(0.7)) fields.push("Connection: close");
  const line = startLine(random);
  const end = random.chance(0.98) ? "\r\n" : random.pick(["\n", "\r", "\r\n\r\n", ""]);
  return `${line}${eol}${fields.map((field) => `${field}${fieldEnd(random)}`).join("")}${end}${framing.body}`;
}

function startLine(random: Random): string {
  const method = random.weighted([
    [30, "GET"],
    [40, "POST"],
    [6, "PUT"],
    [6, "DELETE"],
    [4, "OPTIONS"],
    [4, "HEAD"],
    [2, "PATCH"],
    [
      8,
      random.pick([
        "M-SEARCH",
        "PURGE",
        "get",
        "TRACE",
        "FOO",
        "G@T",
        "POST\u0000",
        "PRI",
        "QUERY",
        "",
        "GE\tT",
      ]),
    ],
  ]);
  const target = random.weighted([
    [60, "/a"],
    [10, "/a?b=c"],
    [30, targets[random.integer(targets.length)] ?? "/"],
  ]);
  const version = random.weighted([
    [90, "HTTP/1.1"],
    [5, "HTTP/1.0"],
    [
      5,
      random.pick([
        "HTTP/2.0",
        "HTTP/1.2",
        "HTTP/0.9",
        "http/1.1",
        "HTTP/1.1 ",
        "HTTP/11",
        "HTTP/1.",
        "",
        "ICE/1.0",
      ]),
    ],
  ]);
  const gap = () => (random.chance(0.97) ? " " : random.pick(["  ", "\t", "", " \t", "\u000b", "\u00a0"]));
  return `${method}${gap()}${target}${gap()}${version}`;
}

const targets: readonly string[] = [
  ...[
    "//x",
    "/",
    "*",
    "http://shop.example/a",
    "http://other.example",
    "http://me@x/",
    "/a/../b",
    "/%2e%2e/",
    "/a%2fb",
  ],
  ...[
    "/a b",
    "/caf\u00e9",
    "/\u0000",
    "/a#b",
    "/a\\b",
    "",
    "a",
    "/a;b",
    "?a",
    "/\u007f",
    "https://x/a?b",
    "http:///",
    "//",
  ],
  ...[`/${"a".repeat(9000)}`, "/a\tb", "shop.example:80", "/%", "/a HTTP/1.1 b"],
];

function hostFields(random: Random): string[] {
  if (random.chance(0.93)) return ["Host: shop.example"];
  return random.pick<string[]>([
    [],
    ["Host: shop.example", "Host: shop.example"],
    ["Host: shop.example", "host: other.example"],
    ["Host:"],
    ["Host: a b"],
    ["Host: a/b"],
    ["Host : shop.example"],
    ["Host: shop.example", "Host : other.example"],
    ["Host: [::1]:80"],
  ]);
}

interface Framing {
  readonly fields: string[];
  readonly body: string;
}

const evil = "GET /evil HTTP/1.1\r\nHost: shop.example\r\n\r\n";

function contentOf(random: Random): string {
  return random.weighted([
    [40, "hello"],
    [10, ""],
    [30, evil],
    [10, `0\r\n\r\n${evil}`],
    [10, "x".repeat(1 + random.integer(3000))],
  ]);
}

function framingOf(random: Random): Framing {
  const content = contentOf(random);
  const length = content.length;
  return random.weighted<() => Framing>([
    [25, () => ({ fields: [], body: "" })],
    [20, () => ({ fields: [`Content-Length: ${length}`], body: content })],
    [20, () => ({ fields: ["Transfer-Encoding: chunked"], body: chunksOf(random, content, 0) })],
    [12, () => ({ fields: ["Transfer-Encoding: chunked"], body: chunksOf(random, content, 0.5) })],
    [8, () => ({ fields: [oddLength(random, length)], body: content })],
    [8, () => ({ fields: [oddCoding(random)], body: chunksOf(random, content, 0.1) })],
    [4, () => bothFramings(random, content)],
    [
      2,
      () => ({ fields: [`Content-Length: ${Math.max(0, length - 1 - random.integer(5))}`], body: content }),
    ],
    [1, () => ({ fields: [`Content-Length: ${length + 1 + random.integer(5)}`], body: content })],
  ])();
}

function oddLength(random: Random, length: number): string {
  return random.pick([
    `Content-Length: +${length}`,
    `Content-Length: -${length}`,
    `Content-Length: 0${length}`,
    `Content-Length: 0x${length.toString(16)}`,
    `Content-Length: ${length} `,
    `Content-Length:\t${length}\t`,
    `Content-Length:${length}`,
    `Content-Length : ${length}`,
    `content-LENGTH: ${length}`,
    `Content-Length: ${length}, ${length}`,
    `Content-Length: ${length},${length + 1}`,
    `Content-Length: ${length}\r\nContent-Length: ${length}`,
    `Content-Length: ${length}\r\nContent-Length: 0`,
    `Content-Length: 0\r\nContent-Length: ${length}`,
    `Content-Length: ${length}\r\n 0`,
    `Content-Length:\r\n ${length}`,
    `Content-Length: ${length}.0`,
    `Content-Length: ${length}e0`,
    `Content-Length: "${length}"`,
    `Content-Length: ${length};a`,
    `Content-Length: 1844674407370955${1616 + length}`,
    `Content-Length:`,
    `Content_Length: ${length}`,
    `Content-Length\u0000: ${length}`,
    `Content-Length: ${length}\u0000`,
    `Content-Length: \u000b${length}`,
    `Content-Length: \u00b2`,
    `X: y\rContent-Length: ${length}`,
    `X: y\nContent-Length: ${length}`,
  ]);
}

function oddCoding(random: Random): string {
  const value = random.pick([
    ...([
      "CHUNKED",
      "Chunked",
      "xchunked",
      "chunkedx",
      "identity",
      "gzip",
      "gzip, chunked",
      "chunked, gzip",
    ] as const),
    ...[
      "chunked, chunked",
      "chunked, identity",
      "identity, chunked",
      ", chunked",
      "chunked,",
      "chunked;q=1",
      '"chunked"',
    ],
    ...[
      "chunked ",
      "\tchunked",
      "\u000bchunked",
      "chunked\u000b",
      "chunked\u0000",
      "\r\n chunked",
      "chunked\r\n ",
      "",
    ],
    ...[
      "chunk\u00e9d",
      "chunked\r\nTransfer-Encoding: identity",
      "identity\r\nTransfer-Encoding: chunked",
      "c hunked",
    ],
    ...["chunked\r\nTransfer-Encoding: chunked", "chunked\rX: y", "chunked\nX: y", "trailers", "deflate"],
  ]);
  const name = random.weighted([
    [80, "Transfer-Encoding"],
    [
      20,
      random.pick([
        ...(["transfer-encoding", "TRANSFER-ENCODING", "Transfer-Encoding ", "Transfer_Encoding"] as const),
        ...[
          " Transfer-Encoding",
          "Transfer-Encoding\u0000",
          "X: y\r\n Transfer-Encoding",
          "Transfer-Encoding\t",
        ],
      ]),
    ],
  ]);
  return `${name}: ${value}`;
}

function bothFramings(random: Random, content: string): Framing {
  const body = chunksOf(random, content, 0);
  const fields = [
    `Content-Length: ${random.pick([body.length, content.length, 0, 4])}`,
    "Transfer-Encoding: chunked",
  ];
  if (random.chance(0.5)) fields.reverse();
  if (random.chance(0.3)) fields.push(oddCoding(random));
  return { fields, body };
}

/** @param oddity how likely each part of the coding is odd */
function chunksOf(random: Random, content: string, oddity: number): string {
  const odd = () => random.chance(oddity / 2);
  let out = "";
  for (let at = 0; at < content.length; ) {
    const size = Math.min(content.length - at, 1 + random.integer(Math.max(1, content.length)));
    out += chunkLine(random, size, odd()) + content.slice(at, at + size);
    out += odd() ? random.pick(["\n", "\r", "", "x\r\n", "\r\n\r\n", " \r\n"]) : "\r\n";
    at += size;
  }
  out += odd()
    ? random.pick(["00\r\n", "0;a\r\n", "0 \r\n", "0\n", "-0\r\n", "0x0\r\n", "\r\n", "", "0\r\n0\r\n"])
    : "0\r\n";
  if (random.chance(0.1)) out += trailerOf(random);
  out += odd() ? random.pick(["\n", "\r", "", "\n\r\n"]) : "\r\n";
  return out;
}

function chunkLine(random: Random, size: number, isOdd: boolean): string {
  const hex = size.toString(16);
  if (!isOdd) return `${random.chance(0.2) ? hex.toUpperCase() : hex}\r\n`;
  return random.pick([
    ...([
      `0${hex}\r\n`,
      `${hex};a=b\r\n`,
      `${hex};a="b;c"\r\n`,
      `${hex};\r\n`,
      `${hex} \r\n`,
      `${hex}\t\r\n`,
    ] as const),
    ...[
      ` ${hex}\r\n`,
      `${hex}\n`,
      `${hex}\r`,
      `0x${hex}\r\n`,
      `+${hex}\r\n`,
      `-${hex}\r\n`,
      `${hex};a\nb\r\n`,
    ],
    ...[
      `${hex};a\rb\r\n`,
      `${hex}g\r\n`,
      `1000000000000000${hex}\r\n`,
      `${hex} ;a\r\n`,
      `${hex};\u0000\r\n`,
      `${hex},\r\n`,
    ],
    ...[
      `${(size + 1).toString(16)}\r\n`,
      `${Math.max(1, size - 1).toString(16)}\r\n`,
      `${hex};a="\r\n"\r\n`,
      "\r\n",
    ],
    ...[
      `${hex}\r\r\n`,
      `${hex};${"a".repeat(2000)}\r\n`,
      `${hex};=\r\n`,
      `${hex};;\r\n`,
      `${hex};\u00e9\r\n`,
    ],
  ]);
}

function trailerOf(random: Random): string {
  return random.pick([
    ...([
      "X-A: b\r\n",
      "Content-Length: 5\r\n",
      "Transfer-Encoding: chunked\r\n",
      "Host: evil\r\n",
      "X-A : b\r\n",
    ] as const),
    ...[
      " X-A: b\r\n",
      "X-A: b\n",
      "X-A\r\n",
      "X-A: b\r\n c\r\n",
      "X-A: \u0000\r\n",
      "GET /evil HTTP/1.1\r\n",
    ],
  ]);
}

function otherFields(random: Random): string[] {
  const fields: string[] = [];
  while (random.chance(0.35)) fields.push(others[random.integer(others.length)] ?? "");
  return fields;
}

const others: readonly string[] = [
  ...[
    "X-A: b",
    "x-a:b",
    "X-A:  b  ",
    "X-Empty:",
    "Cookie: a=b",
    "Accept: */*",
    "X-L: caf\u00e9",
    "Expect: 100-continue",
  ],
  ...[
    "Connection: keep-alive",
    "Connection: content-length",
    "Connection: transfer-encoding, host",
    "Connection: x-a",
  ],
  ...[
    "Upgrade: h2c",
    "Connection: Upgrade, HTTP2-Settings",
    "HTTP2-Settings: AAMAAABkAAQAAP__",
    "TE: trailers",
    "Trailer: X",
  ],
  ...[
    "X-A : b",
    "X-A\t: b",
    " X-A: b",
    "X-A",
    ": b",
    "X\u0000A: b",
    "X-A: b\u0000",
    "X-A: b\u0007",
    "X-A: b\rc",
    "X-A: b\nX: c",
  ],
  ...[
    "X-A: b\r\n c",
    "X-A: b\r\n\tc",
    "X(A): b",
    "X-\u00e9: b",
    "Max-Forwards: 0",
    "Expect: x",
    "Via: 1.1 x",
    "Keep-Alive: 5",
  ],
  ...[
    "Proxy-Connection: close",
    "Connection: close",
    "Content-Type: text/plain",
    "Content-Encoding: chunked",
    "Upgrade: websocket",
  ],
  ...[
    `X-Long: ${"a".repeat(5000)}`,
    `X-Long: ${"a".repeat(17_000)}`,
    "X-Http-Method-Override: GET",
    "Range: bytes=0-1",
  ],
];

function fieldEnd(random: Random): string {
  return random.chance(0.99) ? "\r\n" : random.pick(["\n", "\r", "\r\r\n", "\n\r\n", "\r\n\r\n"]);
}

function shuffle(random: Random, items: string[]): void {
  for (let i = items.length - 1; i > 0; i--) {
    const j = random.integer(i + 1);
    [items[i], items[j]] = [items[j] ?? "", items[i] ?? ""];
  }
}

function split(random: Random, bytes: string): string[] {
  if (random.chance(0.6)) return [bytes];
  if (bytes.length < 200 && random.chance(0.1)) return [...bytes];
  const cuts = Array.from({ length: 1 + random.integer(4) }, () => random.integer(bytes.length + 1));
  const parts: string[] = [];
  let at = 0;
  for (const cut of [...cuts.sort((a, b) => a - b), bytes.length]) {
    parts.push(bytes.slice(at, cut));
    at = cut;
  }
  return parts.filter((part) => part.length > 0);
}
