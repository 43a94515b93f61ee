/** Requests as browsers, apps, crawlers and scripts send them, the same from the same seed. */
import { createHash } from "node:crypto";
import { createRandom, type Random } from "../fuzz/random.ts";

export interface Sent {
  readonly method: string;
  readonly target: string;
  readonly bytes: Buffer;
}

const steps = [
  ...["a", "Produk", "p-1", "%E2%82%AC", "%zz", "%00", "a%20b", "a+b", "a;v=1", "a,b", "~x", ""],
  ...["a:b", "@", "a=b", "(1)", "'", "!", "$", "*", "{x}", "[0]", "a|b", "^", "`", '"q"', "%2B", "index.php"],
] as const;
/** Read in two ways where a route might be meant; elsewhere they go on as they came. */
const ambiguous = ["..", ".", "%2e%2e", "a%2fb", "a\\b", "..;x"] as const;
const queries = [
  ...[
    "",
    "?",
    "?a",
    "?a=",
    "?a=1&a=2",
    "?a[]=1&a[]=2",
    "?q=caf%C3%A9+x",
    "?a=%",
    "?a=b?c",
    "?&&",
    "?a=1;b=2",
  ],
  ...["?redirect=https://x.example/?a=b%26c", "?route=checkout/cart.add", "?a=../..", "?%00", "?a='\"<>"],
] as const;

const someFields: readonly [readonly string[], ...(readonly string[])[]] = [
  ["Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", "Accept-Language: id-ID,id;q=0.9"],
  ["Accept-Encoding: gzip, deflate, br"],
  ["accept-encoding: gzip", "ACCEPT-encoding: identity;q=0"],
  ['Cookie: a=1; b=2; sid="q"; a=3'],
  ["cookie: odd; =x; c="],
  ["User-Agent: Mozilla/5.0 (Linux; Android 14)", "Sec-Fetch-Mode: navigate", 'sec-ch-ua: "x";v="1"'],
  ["Referer: https://shop.example/a?b#c", "Origin: null", "DNT: 1"],
  ["Authorization: Bearer abc.def-_", "X-Api-Key: 1"],
  ["Range: bytes=0-99"],
  ["Range: bytes=10-"],
  ["range: bytes=-50"],
  ["Range: bytes=0-9,20-29"],
  ["Range: bytes=99999-"],
  ["If-Modified-Since: Tue, 03 Mar 2020 10:00:00 GMT"],
  ['If-None-Match: "nothing", W/"x"'],
  ["X-ODD-case: 1", "x-odd-CASE: 2", "X-Empty: "],
  ["X-Latin: d\u00e9j\u00e0 \u00ff", `X-Long: ${"v".repeat(2000)}`],
  ["Cache-Control: no-cache", "Pragma: no-cache"],
  ["Connection: keep-alive, X-Hop", "X-Hop: of this connection"],
  ["X-Requested-With: XMLHttpRequest", "Priority: u=1, i"],
];

type Content = readonly [type: string, body: string];

const contents: readonly [Content, ...Content[]] = [
  ["application/x-www-form-urlencoded", "a=1&b=%20&order_id=77&a=2"],
  ["application/json", '{"order_id": "77", "order_id": 78, "note": "caf\u00c3\u00a9"}'],
  ["application/json", '{"broken": '],
  [
    "multipart/form-data; boundary=b",
    '--b\r\nContent-Disposition: form-data; name="f"; filename="x"\r\n\r\n\u0000\u00ff\r\n--b--\r\n',
  ],
  ["text/xml", "<a/>"],
  ["application/octet-stream", "\u0000\u0001\u00ff".repeat(3000)],
  ["text/plain", ""],
];

/** @param number no two of them have one URL */
export function requestOf(seed: number, number: number): Sent {
  const random = createRandom(seed, number);
  const method = random.weighted([
    [62, "GET"],
    [12, "HEAD"],
    [14, "POST"],
    [4, "PUT"],
    [3, "PATCH"],
    [3, "DELETE"],
    [2, "OPTIONS"],
  ]);
  const target = targetOf(random, number);
  const host = random.pick(["Host: shop.example", "host: shop.example:8080", "HOST: SHOP.example"]);
  const fields = [host, `X-Shopper-Id: s${number}`];
  for (let more = random.integer(5); more > 0; more--) fields.push(...random.pick(someFields));
  // Each line once: of two ranges or conditions nobody says what they mean.
  const lines = [...new Map(fields.map((line) => [line.split(":")[0], line])).values()];
  const { told, body } = bodyOf(random, method);
  const head = [`${method} ${target} HTTP/1.1`, ...lines, ...told].join("\r\n");
  return { method, target, bytes: Buffer.from(`${head}\r\n\r\n${body}`, "latin1") };
}

function targetOf(random: Random, number: number): string {
  const isOnRoute = random.chance(0.5);
  const path = [isOnRoute ? "cart" : "odd", String(number)];
  for (let more = random.integer(5); more > 0; more--) {
    path.push(!isOnRoute && random.chance(0.3) ? random.pick(ambiguous) : random.pick(steps));
  }
  return `/${path.join("/")}${random.pick(queries)}`;
}

function bodyOf(random: Random, method: string): { readonly told: readonly string[]; readonly body: string } {
  const isSent =
    method === "POST" ||
    method === "PUT" ||
    method === "PATCH" ||
    (method === "DELETE" && random.chance(0.3));
  if (!isSent) return { told: [], body: "" };
  const [type, body] = random.pick(contents);
  const told = [
    `Content-Type: ${type}`,
    `Content-MD5: ${createHash("md5").update(body, "latin1").digest("base64")}`,
  ];
  if (random.chance(0.7)) return { told: [...told, `Content-Length: ${body.length}`], body };
  const half = body.length >> 1;
  const chunks = [body.slice(0, half), body.slice(half)].filter((chunk) => chunk.length > 0);
  const framed = chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join("");
  return { told: [...told, "Transfer-Encoding: chunked"], body: `${framed}0\r\n\r\n` };
}
