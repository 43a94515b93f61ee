/**
 * Clients that leave in the middle: each makes one visit of its kind and is gone at a random point of it. A visit tells
 * how many requests it sent; the upstream is that of left-upstream.ts.
 */
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Random } from "../wire/fuzz/random.ts";
import type { LeftUpstream } from "./left-upstream.ts";

export interface Place {
  /** The proxy's. */
  readonly port: number;
  /** The authority of its certificate, where it has one. */
  readonly ca?: Buffer;
  readonly upstream: LeftUpstream;
}

export interface Visiting extends Place {
  readonly random: Random;
  /** A number of its own, and as many after it as a visit may send requests. */
  readonly number: number;
}

/** Resolves with the requests sent, when its connection is closed at this end. */
export type Visit = (visiting: Visiting) => Promise<number>;

const streams = 8;
/** A visit takes so many numbers. */
export const numbersEach = streams;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function head(method: string, path: string, number: number, fields: readonly string[] = []): string {
  const all = [
    `Host: shop.example`,
    `X-Shopper-Id: shopper-${number % 100}`,
    `X-Number: ${number}`,
    ...fields,
  ];
  return `${method} ${path} HTTP/1.1\r\n${all.join("\r\n")}\r\n\r\n`;
}

async function open(port: number): Promise<{ readonly socket: Socket; readonly closed: Promise<unknown> }> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  const closed = new Promise((resolve) => socket.on("close", resolve));
  await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
  socket.on("error", () => {});
  return { socket, closed };
}

function leave(socket: Socket, random: Random): void {
  if (random.chance(0.5)) socket.destroy();
  else reset(socket);
}

/** `resetAndDestroy` would send an end first; `destroy` with this flag set does not. */
function reset(socket: Socket): void {
  Object.assign(socket, { resetAndClosing: true }).destroy();
}

/** Somewhere in a head. By its end, not by a reset: which of the two libuv tells of depends on what it has read. */
const inHead: Visit = async ({ port, random, number }) => {
  const { socket, closed } = await open(port);
  const bytes = head("GET", "/cart/upload", number);
  socket.write(bytes.slice(0, 1 + random.integer(bytes.length - 3)));
  await pause(random.integer(10));
  if (random.chance(0.5)) socket.end().resume();
  else socket.destroy();
  await closed;
  return 1;
};

const inUpload: Visit = async ({ port, random, number }) => {
  const { socket, closed } = await open(port);
  const isChunked = random.chance(0.5);
  const length = 1000 + random.integer(1_000_000);
  const framing = isChunked ? "Transfer-Encoding: chunked" : `Content-Length: ${length}`;
  socket.write(head("POST", "/cart/upload", number, [framing]));
  const part = "u".repeat(random.integer(length));
  socket.write(isChunked ? `${length.toString(16)}\r\n${part}` : part);
  await pause(random.integer(20));
  leave(socket, random);
  await closed;
  return 1;
};

const whileWaiting: Visit = async ({ port, random, number, upstream }) => {
  const { socket, closed } = await open(port);
  const arrived = upstream.arrived(number);
  socket.write(head("GET", "/cart/wait", number));
  if (random.chance(0.8)) await arrived;
  await pause(random.integer(5));
  leave(socket, random);
  await closed;
  return 1;
};

const inDownload: Visit = async ({ port, random, number }) => {
  const { socket, closed } = await open(port);
  let left = random.integer(1_000_000);
  socket.on("data", (bytes) => {
    left -= bytes.length;
    if (left <= 0) leave(socket, random);
  });
  socket.write(head("GET", "/cart/download", number));
  await closed;
  return 1;
};

const upgrade = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"];

const inWebSocketHandshake: Visit = async ({ port, random, number, upstream }) => {
  const { socket, closed } = await open(port);
  const arrived = upstream.arrived(number);
  socket.write(
    head("GET", "/cart/wait", number, [...upgrade, "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="]),
  );
  await arrived;
  await pause(random.integer(5));
  leave(socket, random);
  await closed;
  return 1;
};

const inWebSocket: Visit = async ({ port, random, number }) => {
  const { socket, closed } = await open(port);
  socket.write(
    head("GET", "/cart/socket", number, [...upgrade, "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="]),
  );
  await new Promise((resolve) => socket.once("data", resolve).once("close", resolve));
  socket.write("w".repeat(random.integer(10_000)));
  await pause(random.integer(5));
  leave(socket, random);
  await closed;
  return 1;
};

/** The beginning of a ClientHello, or a whole one and nothing after it. */
const inTlsHandshake: Visit = async ({ port, random, ca }) => {
  const { socket, closed } = await open(port);
  if (random.chance(0.5)) {
    const hello = Buffer.alloc(517, 1);
    Buffer.from("1603010200010001fc0303", "hex").copy(hello);
    socket.write(hello.subarray(0, random.integer(hello.length)));
  } else {
    connectTls({ socket, servername: "localhost", ...(ca === undefined ? {} : { ca }) }).on(
      "error",
      () => {},
    );
  }
  await pause(random.integer(5));
  leave(socket, random);
  await closed;
  return 0;
};

/** One session: some streams are reset, each in another phase; the others end with the connection. */
const inHttp2: Visit = async ({ port, ca, random, number, upstream }) => {
  const session: ClientHttp2Session = connectHttp2(
    `https://localhost:${port}`,
    ca === undefined ? {} : { ca },
  );
  session.on("error", () => {});
  const closed = new Promise((resolve) => session.on("close", resolve));
  const count = 1 + random.integer(streams);
  await Promise.all(
    Array.from({ length: count }, (_, place) =>
      inStream(session, number + place, upstream, random).then((stream) => {
        if (random.chance(0.7)) stream.close(8);
      }),
    ),
  );
  session.destroy();
  await closed;
  return count;
};

async function inStream(
  session: ClientHttp2Session,
  number: number,
  upstream: LeftUpstream,
  random: Random,
): Promise<ClientHttp2Stream> {
  const path = random.pick(["/cart/wait", "/cart/download", "/cart/upload"]);
  const arrived = upstream.arrived(number);
  const stream = session.request(
    {
      ":method": path === "/cart/upload" ? "POST" : "GET",
      ":path": path,
      ":authority": "shop.example",
      "x-number": `${number}`,
    },
    { endStream: path !== "/cart/upload" },
  );
  stream.on("error", () => {});
  // Written as far as the windows let it, and not ended.
  if (path === "/cart/upload") stream.write("u".repeat(1 + random.integer(500_000)));
  await arrived;
  if (path !== "/cart/download") await pause(random.integer(5));
  else {
    let left = random.integer(200_000);
    await new Promise<void>((resolve) => {
      stream.on("close", resolve).on("data", (bytes: Buffer) => {
        left -= bytes.length;
        if (left <= 0) resolve();
      });
    });
  }
  return stream;
}

export const plainVisits: readonly [Visit, ...Visit[]] = [
  inUpload,
  whileWaiting,
  inDownload,
  inHead,
  inWebSocketHandshake,
  inWebSocket,
];
export const secureVisits: readonly [Visit, ...Visit[]] = [inTlsHandshake, inHttp2];
