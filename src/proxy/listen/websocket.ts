/**
 * node:http's `upgrade` event as a transport. It fires for every request that names a protocol, and the parser has
 * let go of the connection by then. A sound WebSocket handshake becomes an Inbound whose answer can give the
 * connection away. Everything else is a plain request (a server may ignore Upgrade, RFC 9110 §7.8): `h2c` above all,
 * which would carry requests past every rule of this proxy; such a request goes back to the parser without the field.
 */
import { type IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Inbound, Peer } from "../inbound.ts";
import { answerOf, createUncorking, headOf } from "./http1/http1.ts";

/** The one protocol that is relayed (RFC 6455). */
const protocol = "websocket";
/** Bytes a client may send before its answer; it should send none. */
const maxEarlyBytes = 65_536;

interface UpgradeContext {
  /** Whether an earlier answer on the connection is under way. */
  readonly isAnswering: (socket: Socket) => boolean;
  readonly peerOf: (socket: Socket) => Peer;
  /** Takes the connection back to the parser. */
  readonly asPlain: (socket: Socket) => void;
  readonly handle: (inbound: Inbound, socket: Socket) => void;
}

interface Upgrades {
  /** Listens to that event of a node:http server. */
  onUpgrade(request: IncomingMessage, socket: Socket, first: Buffer): void;
  /** No answer is under way on the connection any more. */
  answered(socket: Socket): void;
}

export function createUpgrades({ isAnswering, peerOf, asPlain, handle }: UpgradeContext): Upgrades {
  const waiting = new WeakMap<Socket, () => void>();
  return {
    onUpgrade(request, socket, first) {
      socket.on("error", cut).on("drain", wakeAnswer);
      const begin = () => {
        socket.off("error", cut).off("drain", wakeAnswer);
        if (socket.destroyed) return;
        socket.setTimeout(0);
        if (isHandshake(request)) handle(inboundUpgrade(request, socket, first, peerOf(socket)), socket);
        else {
          socket.unshift(withoutUpgrade(request, first));
          asPlain(socket);
        }
      };
      if (isAnswering(socket)) waiting.set(socket, begin);
      else begin();
    },
    answered(socket) {
      waiting.get(socket)?.();
      waiting.delete(socket);
    },
  };
}

function cut(this: Socket): void {
  this.destroy();
}

/** An earlier answer goes on without the server's own wiring, which has gone with the parser. */
function wakeAnswer(this: Socket): void {
  const answer: unknown = Reflect.get(this, "_httpMessage");
  if (answer instanceof ServerResponse) answer.emit("drain");
}

/** Whether the request is a handshake that can be relayed; one with a body or of HTTP/1.0 is none (RFC 6455 §4.1). */
export function isHandshake({ method, httpVersionMinor, headers }: IncomingMessage): boolean {
  const hasBody = headers["transfer-encoding"] !== undefined || (headers["content-length"] ?? "0") !== "0";
  const protocols = (headers.upgrade ?? "").toLowerCase().split(",");
  return (
    method === "GET" &&
    httpVersionMinor === 1 &&
    !hasBody &&
    protocols.some((name) => name.trim() === protocol)
  );
}

/** The bytes of the request as they came, without what asks for another protocol. */
function withoutUpgrade(request: IncomingMessage, first: Buffer): Buffer {
  const { method, url, httpVersion, rawHeaders } = request;
  let head = `${method} ${url} HTTP/${httpVersion}\r\n`;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? "";
    let value = rawHeaders[i + 1] ?? "";
    if (/^(?:upgrade|http2-settings)$/i.test(name)) continue;
    if (/^connection$/i.test(name)) {
      const kept = value.split(",").filter((token) => !/^\s*(?:upgrade|http2-settings)\s*$/i.test(token));
      value = kept.join(",").trim();
      if (value === "") continue;
    }
    head += `${name}: ${value}\r\n`;
  }
  return Buffer.concat([Buffer.from(`${head}\r\n`, "latin1"), first]);
}

/**
 * The handshake as an Inbound. Its connection is watched from here on: a client that leaves is noticed, what it sends
 * early is kept for the upstream, and every answer but a 101 is followed by the connection's end.
 */
function inboundUpgrade(request: IncomingMessage, socket: Socket, first: Buffer, peer: Peer): Inbound {
  const early: Buffer[] = first.length > 0 ? [first] : [];
  let earlyBytes = first.length;
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(socket);
  const answer = answerOf(response, { draining: () => true, uncorkSoon: createUncorking() });
  response.on("close", () => answer.closed());
  const onData = (chunk: Buffer) => {
    early.push(chunk);
    earlyBytes += chunk.length;
    if (earlyBytes > maxEarlyBytes) socket.pause();
  };
  socket.on("error", cut).on("drain", wakeAnswer).on("data", onData).on("end", cut);
  response.on("finish", () => {
    socket.off("end", cut);
    socket.destroySoon();
  });

  return {
    head: { ...headOf(request, peer), framing: { kind: "none" }, upgrade: protocol },
    body: request,
    answer: Object.assign(answer, {
      switchProtocols(fields: readonly string[]) {
        if (socket.destroyed || response.headersSent) return undefined;
        socket.pause();
        socket.off("drain", wakeAnswer).off("data", onData).off("end", cut);
        response.detachSocket(socket);
        let head = "HTTP/1.1 101 Switching Protocols\r\n";
        for (let i = 0; i < fields.length; i += 2) head += `${fields[i]}: ${fields[i + 1]}\r\n`;
        socket.write(`${head}\r\n`, "latin1");
        return { stream: socket, first: Buffer.concat(early) };
      },
    }),
  };
}
