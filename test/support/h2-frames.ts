/** An HTTP/2 client that writes frames itself, so that it can send what no library would. */
import { connect } from "node:tls";

const types = {
  data: 0,
  headers: 1,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

/** What a client that reads slowly takes between two rests. */
const gulpBytes = 4_000_000;

export interface FrameClient {
  /** HPACK literals without indexing; in one frame, unless `endHeaders` is false. */
  headers(
    stream: number,
    headers: Readonly<Record<string, string>>,
    endStream: boolean,
    endHeaders?: boolean,
  ): void;
  /** Fields as a flat list, in their order; the body is to follow unless said otherwise. */
  list(stream: number, fields: readonly string[], endStream?: boolean): void;
  continuation(stream: number, bytes: Buffer, endHeaders: boolean): void;
  reset(stream: number, code: number): void;
  frame(type: keyof typeof types, flags: number, stream: number, payload: Buffer): void;
  /** The frames that `write` sends go out in one packet. */
  inOnePacket(write: () => void): void;
  /** Codes of RST_STREAM that came, by stream. */
  readonly resets: Map<number, number>;
  /** What the GOAWAYs that came have said, in order. */
  readonly goaways: { readonly lastStream: number; readonly code: number }[];
  /** Octets granted by WINDOW_UPDATE, by stream; 0 is the connection. */
  readonly granted: Map<number, number>;
  /** Streams whose answer's head came. */
  readonly answered: Set<number>;
  /** Leaves what comes where it is. */
  stopReading(): void;
  /**
   * Rests before each gulp, and answers no PING: the answer would come behind all that is on its way. The system's
   * buffers let the other side write again only in steps, of a megabyte or two: a gulp is more than that.
   */
  readSlowly(restMs: number): void;
  /** Octets of frames so far. */
  received(): number;
  closed(): boolean;
  close(): void;
}

export function literals(headers: Readonly<Record<string, string>>): Buffer {
  return literalList(Object.entries(headers).flat());
}

function literalList(fields: readonly string[]): Buffer {
  const text = (value: string) => {
    const bytes = Buffer.from(value, "latin1");
    if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
    const length = [127];
    let left = bytes.length - 127;
    for (; left >= 128; left = Math.floor(left / 128)) length.push((left % 128) + 128);
    return Buffer.concat([Buffer.from([...length, left]), bytes]);
  };
  const parts: Buffer[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    parts.push(Buffer.from([0]), text(fields[i] ?? ""), text(fields[i + 1] ?? ""));
  }
  return Buffer.concat(parts);
}

export async function rawFrames(port: number, ca: Buffer): Promise<FrameClient> {
  const socket = connect({ port, host: "127.0.0.1", servername: "localhost", ca, ALPNProtocols: ["h2"] });
  const resets = new Map<number, number>();
  const goaways: { lastStream: number; code: number }[] = [];
  const answered = new Set<number>();
  const granted = new Map<number, number>();
  let unread: Buffer = Buffer.alloc(0);
  let closed = false;
  let received = 0;
  let slow = false;
  let held: Buffer[] | undefined;
  socket.on("error", () => {});
  socket.on("close", () => {
    closed = true;
  });
  socket.on("data", (chunk) => {
    received += chunk.length;
    unread = Buffer.concat([unread, chunk]);
    while (unread.length >= 9) {
      const length = unread.readUIntBE(0, 3);
      if (unread.length < 9 + length) break;
      take(unread[3] ?? 0, unread[4] ?? 0, unread.readUInt32BE(5), unread.subarray(9, 9 + length));
      unread = unread.subarray(9 + length);
    }
  });
  function take(type: number, flags: number, stream: number, payload: Buffer): void {
    if (type === types.rstStream) resets.set(stream, payload.readUInt32BE(0));
    else if (type === types.headers) answered.add(stream);
    else if (type === types.windowUpdate)
      granted.set(stream, (granted.get(stream) ?? 0) + payload.readUInt32BE(0));
    else if (type === types.goaway)
      goaways.push({ lastStream: payload.readUInt32BE(0), code: payload.readUInt32BE(4) });
    else if (type === types.settings && (flags & 1) === 0) frame("settings", 1, 0, Buffer.alloc(0));
    else if (type === types.ping && (flags & 1) === 0 && !slow) frame("ping", 1, 0, payload);
  }
  function frame(type: keyof typeof types, flags: number, stream: number, payload: Buffer): void {
    const head = Buffer.alloc(9);
    head.writeUIntBE(payload.length, 0, 3);
    head[3] = types[type];
    head[4] = flags;
    head.writeUInt32BE(stream, 5);
    if (held !== undefined) held.push(head, payload);
    else if (!socket.destroyed) socket.write(Buffer.concat([head, payload]));
  }
  await new Promise((resolve, reject) => socket.once("secureConnect", resolve).once("error", reject));
  socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  frame("settings", 0, 0, Buffer.alloc(0));
  return {
    headers: (stream, headers, endStream, endHeaders = true) =>
      frame("headers", (endStream ? 1 : 0) | (endHeaders ? 4 : 0), stream, literals(headers)),
    list: (stream, fields, endStream = false) =>
      frame("headers", (endStream ? 1 : 0) | 4, stream, literalList(fields)),
    continuation: (stream, bytes, endHeaders) => frame("continuation", endHeaders ? 4 : 0, stream, bytes),
    reset(stream, code) {
      const payload = Buffer.alloc(4);
      payload.writeUInt32BE(code);
      frame("rstStream", 0, stream, payload);
    },
    frame,
    inOnePacket(write) {
      const frames: Buffer[] = [];
      held = frames;
      write();
      held = undefined;
      if (!socket.destroyed) socket.write(Buffer.concat(frames));
    },
    resets,
    goaways,
    granted,
    answered,
    stopReading: () => void socket.pause(),
    readSlowly(restMs) {
      slow = true;
      let rested = 0;
      const rest = () => {
        rested = received;
        socket.pause();
        setTimeout(() => socket.resume(), restMs);
      };
      socket.on("data", () => {
        if (received - rested >= gulpBytes) rest();
      });
      rest();
    },
    received: () => received,
    closed: () => closed,
    close: () => socket.destroy(),
  };
}
