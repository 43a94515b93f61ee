/**
 * The HTTP/2 sessions of a listener: what one may ask of this process, and the way down.
 *
 * A client that opens streams and resets them before they are answered has the work done and pays nothing (rapid reset,
 * CVE-2023-44487), or has this side reset them (CVE-2025-8671). So each session may leave so many answers unheard at
 * once, and so many a second in the long run; one that leaves more is ended with ENHANCE_YOUR_CALM. What else can be
 * sent in floods (CONTINUATION, SETTINGS, PING, empty frames) nghttp2 limits.
 *
 * Stopping (RFC 9113 §6.8): a GOAWAY names the last stream that is served, and the session is over with its last answer.
 * What the client sent after that stream was not looked at and may be sent again elsewhere. node:http2 knows no notice of
 * a shutdown before the last word.
 *
 * Liveness: a client may vanish without a word, or while this side writes what no stream waits for: node:http2 reads no
 * more while it writes, and may lose the end of a write that fails (nodejs/node#42710). Then nothing tells that the
 * connection is gone, and even a destroyed session keeps its socket. So where nothing moves while a stream is under way
 * the client is asked by PING (§6.7), which every live one answers, and the socket of one that stays still is destroyed.
 */
import {
  constants,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Inbound, Peer } from "../../inbound.ts";
import { type Refusal, refusals, renderRefusal } from "../../refusal.ts";
import type { HeadLimits } from "../../request/target.ts";
import { inboundOfStream } from "./http2.ts";

/** Streams of a session at once. */
const maxStreams = 128;
/** By how much nghttp2 lets a head through that is refused with 431: it counts 32 octets more a field. */
const spareHeadBytes = 49_152;
const maxHeaderPairs = 1024;
/** Octets of a stream's body, and of all bodies of a session, that may be under way to this process. */
const streamWindow = 262_144;
const sessionWindow = 1_048_576;
/** Answers a session may leave unheard at once, and a second. */
const unheardBurst = 200;
const unheardRate = 20;
/**
 * Streams above `maxStreams` that a session may open before node:http2 breaks it off without a word. A client that resets
 * faster than streams are closed here has many of them, and is to be told why it is ended.
 */
const mostRejected = 1000;
/** So often within the limit a session is looked at. */
const looks = 4;
/** Octets of a PING. */
const pingBytes = 17;

interface Http2Sessions {
  /** Takes a connection on which HTTP/2 was agreed. */
  take(socket: TLSSocket, peer: Peer): void;
  drain(): void;
}

interface Http2SessionsOptions {
  readonly handle: (inbound: Inbound, stream: ServerHttp2Stream) => void;
  readonly onRefused: (refusal: Refusal) => void;
  readonly limits: () => HeadLimits;
  readonly proxyName: string;
  /** How long a session may be without a stream, or have one and nothing moves. */
  readonly idleTimeoutMs: number;
  readonly monotonic: () => number;
}

const sessionOptions = (maxHeaderListSize: number) => ({
  maxHeaderListPairs: maxHeaderPairs,
  maxSessionInvalidFrames: 100,
  maxSessionRejectedStreams: mostRejected,
  settings: {
    maxConcurrentStreams: maxStreams,
    initialWindowSize: streamWindow,
    maxHeaderListSize,
  },
});

export function createHttp2Sessions(options: Http2SessionsOptions): Http2Sessions {
  const { handle, onRefused, limits, proxyName, idleTimeoutMs, monotonic } = options;
  const sessions = new Set<ServerHttp2Session>();
  let draining = false;

  function begin(inbound: Inbound, stream: ServerHttp2Stream, raw: readonly string[]): void {
    const refusal = earlyRefusal(raw, limits().headBytes);
    if (refusal === undefined) {
      handle(inbound, stream);
      return;
    }
    onRefused(refusal);
    refuse(inbound, refusal, proxyName);
  }

  return {
    take(socket, peer) {
      const session = performServerHandshake(socket, sessionOptions(limits().headBytes + spareHeadBytes));
      const allowance = createAllowance(monotonic);
      sessions.add(session);
      session.on("close", () => sessions.delete(session));
      // Each is the peer's doing and ends the session; its streams hear of it.
      session.on("error", () => {});
      session.setLocalWindowSize(sessionWindow);
      let streams = 0;
      spareOthers(session, () => streams);
      const onClosed = (left: boolean) => {
        streams -= 1;
        if (!left || allowance.take() || session.destroyed) return;
        session.destroy(new Error("too many resets"), constants.NGHTTP2_ENHANCE_YOUR_CALM);
      };
      endWhenStill(session, socket, idleTimeoutMs, () => streams > 0);
      session.on("stream", (stream: ServerHttp2Stream, _headers: unknown, _flags: number, raw: string[]) => {
        streams += 1;
        begin(inboundOfStream(stream, raw, { peer, onClosed }), stream, raw);
      });
      if (draining) session.close();
    },
    drain() {
      draining = true;
      for (const session of sessions) if (!session.destroyed) session.close();
    },
  };
}

/** NGHTTP2_ERR_PROTO, which node:http2 does not export. */
const protocolErrno = -505;

/**
 * From Node 22 on node:http2 destroys a session for whatever nghttp2 finds against the protocol, also where that is the
 * fault of one stream (a body longer than declared, RFC 9113 §8.1.1), and the other streams would fail with it. Of such
 * a one nghttp2 itself has reset the stream; where none has closed by the next turn the session is at fault.
 */
function spareOthers(session: ServerHttp2Session, streams: () => number): void {
  const destroy = session.destroy.bind(session);
  session.destroy = (error, code) => {
    const before = streams();
    const isProtocol = error instanceof Error && "errno" in error && error.errno === protocolErrno;
    if (!isProtocol || before === 0) destroy(error, code);
    else
      setImmediate(() => {
        if (streams() >= before) destroy(error, constants.NGHTTP2_PROTOCOL_ERROR);
      });
  };
}

/** What is refused before there is an exchange. */
function earlyRefusal(raw: readonly string[], mostBytes: number): Refusal | undefined {
  let bytes = 0;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] ?? "";
    const value = raw[i + 1] ?? "";
    bytes += name.length + value.length;
    if (name === "expect" && value.toLowerCase() !== "100-continue") return refusals.expectation;
  }
  return bytes > mostBytes ? refusals.headTooLarge : undefined;
}

function refuse({ head, answer }: Inbound, refusal: Refusal, proxyName: string): void {
  const { fields, body } = renderRefusal(refusal, proxyName, undefined);
  answer.head({ status: refusal.status, reason: refusal.reason, fields, length: body.length });
  if (head.method !== "HEAD") answer.write(body);
  answer.end([]);
}

/** A bucket that is full at first and refills at the rate. @returns whether there was one left to take */
function createAllowance(monotonic: () => number): { take(): boolean } {
  let left = unheardBurst;
  let at = monotonic();
  return {
    take() {
      const now = monotonic();
      left = Math.min(unheardBurst, left + ((now - at) * unheardRate) / 1000);
      at = now;
      left -= 1;
      return left >= 0;
    },
  };
}

/**
 * Ends a session that for so long, or up to a quarter more, is idle: no stream is open, and nothing came or went. Ends
 * its connection where nothing came and nothing but PINGs went all the while, with open streams or a session that is over. Who reads slowly answers late, but takes what is written: as seen from here in
 * steps of a megabyte or two, since the system asks for more only when a good part of what it holds was taken.
 *
 * @param socket of the session
 * @param limitMs milliseconds
 * @param isAwaited whether it has an open stream
 */
function endWhenStill(
  session: ServerHttp2Session,
  socket: Socket,
  limitMs: number,
  isAwaited: () => boolean,
): void {
  let read = 0;
  let written = 0;
  let stillLooks = 0;
  const look = () => {
    const isStill = socket.bytesRead === read && socket.bytesWritten <= written + pingBytes;
    read = socket.bytesRead;
    written = socket.bytesWritten;
    stillLooks = isStill ? stillLooks + 1 : 0;
    if (!isStill) return;
    if (stillLooks >= looks && !session.closed && !session.destroyed && !isAwaited()) {
      session.close();
      return;
    }
    const isAsked = !session.closed && isAwaited();
    if (isAsked) session.ping(() => {});
    // A closed session cannot be asked; where frames wait, its client takes none.
    const isGone = isAsked || session.destroyed || (session.state.outboundQueueSize ?? 0) > 0;
    if (stillLooks >= looks && isGone) socket.destroy();
  };
  const looking = setInterval(look, limitMs / looks).unref();
  socket.on("close", () => clearInterval(looking));
}
