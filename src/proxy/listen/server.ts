/**
 * The proxy's listener: plain for HTTP/1.1, or TLS for HTTP/2 and HTTP/1.1, either behind a PROXY header where one is
 * owed (proxy-protocol.ts); and the way down (connections.ts).
 */
import { type AddressInfo, createServer, isIPv6, Server as NetServer, type Socket } from "node:net";
import type { Handle } from "../exchange.ts";
import type { Inbound } from "../inbound.ts";
import type { Refusal } from "../refusal.ts";
import type { HeadLimits } from "../request/target.ts";
import { createClientConnections } from "./connections.ts";
import { createHttp1Server } from "./http1/http1-server.ts";
import { createHttp2Sessions } from "./http2/http2-sessions.ts";
import type { ConnectionCounts } from "./metrics.ts";
import { createIntroductions, type HeaderFault } from "./proxy-protocol.ts";
import { createSecureTransport } from "./tls.ts";

/** A head that takes longer is a slow-loris attack or a dead peer (408). */
const defaultHeadTimeoutMs = 15_000;
/** Longer than the 60 s after which common load balancers let go, so that they close first. */
const defaultIdleTimeoutMs = 65_000;
/** How long a connection may be idle once the listener stops, unless that is told. */
const defaultDrainIdleMs = 1000;

/** An address, or a listening socket that was handed to the process. */
export type ListenAt = { readonly host: string; readonly port: number } | { readonly fd: number };

interface ProxyServer {
  /** @returns the port taken */
  listen(at: ListenAt): Promise<number>;
  /** Looks at the files of the certificate now, and not only in its turn. */
  refresh(): void;
  /**
   * Accepts no more. @returns when every connection is closed
   *
   * @param graceMs how long exchanges in flight may go on
   * @param idleMs how long a connection may be idle
   */
  close(graceMs: number, idleMs?: number): Promise<void>;
}

interface ProxyServerOptions {
  readonly exchange: Handle;
  readonly proxyName: string;
  /** Counts what the parser refused, before there was an exchange. */
  readonly onRefused: (refusal: Refusal) => void;
  /** Client connections at once; those above it are closed before anything is read. */
  readonly maxConnections: () => number;
  readonly connections: ConnectionCounts;
  readonly headLimits: () => HeadLimits;
  /** Paths of a certificate and its key: HTTPS, with HTTP/2. */
  readonly tls?: readonly { readonly cert: string; readonly key: string }[] | undefined;
  /** Of session tickets; absent where it is this process's own. */
  readonly ticketSecret?: () => string | undefined;
  /** Whether an address owes a PROXY header in front of its connections; absent where nobody does. */
  readonly owesHeader?: ((address: string) => boolean) | undefined;
  /** Hears of what a connection was closed for that owed one; it is counted already. */
  readonly onHeaderRefused?: (fault: HeaderFault, address: string) => void;
  readonly onFault: (error: unknown) => void;
  /** How long a head may take to arrive, of a new connection and of a kept one alike. */
  readonly headTimeoutMs?: number;
  /** 65,000 without it. */
  readonly idleTimeoutMs?: number;
}

export function createProxyServer(options: ProxyServerOptions): ProxyServer {
  const { exchange, proxyName, onRefused, tls, onFault } = options;
  const { headTimeoutMs = defaultHeadTimeoutMs, idleTimeoutMs = defaultIdleTimeoutMs } = options;
  const connections = createClientConnections(options.maxConnections, options.connections);
  const handle = (inbound: Inbound, cut: { destroy(): void }) => {
    try {
      exchange(inbound);
    } catch (error) {
      onFault(error);
      cut.destroy();
    }
  };
  const shared = { handle, proxyName, onRefused, limits: options.headLimits, idleTimeoutMs };
  const introductions = createIntroductions({
    owes: options.owesHeader,
    withinMs: headTimeoutMs,
    onRefused(fault, address) {
      options.connections.headerRefused(fault);
      options.onHeaderRefused?.(fault, address);
    },
  });
  const http1 = createHttp1Server({ ...shared, connections, introduced: introductions.of, headTimeoutMs });
  const http2 = createHttp2Sessions({ ...shared, monotonic: () => performance.now() });
  const secure =
    tls &&
    createSecureTransport({
      files: tls,
      ticketSecret: options.ticketSecret ?? (() => undefined),
      now: Date.now,
      onHttp1(socket, under) {
        introductions.handOn(under, socket);
        http1.emit("connection", socket);
      },
      onHttp2(socket, under) {
        // Its session says when it is over.
        const { peer } = connections.add(socket, 1, introductions.of(under));
        http2.take(socket, peer);
      },
      onFault,
    });
  /** Those that have their header or handshake to come, and all of TLS. */
  const open = new Set<Socket>();
  /** In front of all, so that what is refused costs neither a header nor a handshake. */
  const gate = () =>
    createServer({ noDelay: true, allowHalfOpen: secure === undefined }, (socket) => {
      const unmade = introductions.awaited + (secure?.handshakes ?? 0);
      if (!connections.admits(socket, unmade)) return void socket.destroy();
      open.add(socket);
      socket.on("close", forget);
      introductions.take(socket, goOn);
    });
  function forget(this: Socket): void {
    open.delete(this);
  }
  function goOn(made: Socket): void {
    if (secure !== undefined) secure.take(made);
    else {
      open.delete(made);
      http1.emit("connection", made);
    }
  }
  const isGated = secure !== undefined || options.owesHeader !== undefined;
  const front: NetServer = isGated ? gate() : http1;
  // Where node:http does not listen itself it is told to begin to look for slow heads.
  if (isGated) http1.emit("listening");

  return {
    listen(at) {
      return new Promise((resolve, reject) => {
        front.once("error", reject);
        front.listen(at, () => {
          front.off("error", reject);
          front.on("error", onFault);
          resolve(portOf(front.address()));
        });
      });
    },
    refresh: () => secure?.refresh(),
    close(graceMs, idleMs = defaultDrainIdleMs) {
      return new Promise((resolve) => {
        const takeBack = connections.drain(graceMs, idleMs, () => {
          for (const socket of open) socket.destroy();
        });
        // node:http's own would close what is idle at once, and with it requests on their way.
        NetServer.prototype.close.call(front, () => {
          takeBack();
          secure?.close();
          resolve();
        });
        http2.drain();
      });
    },
  };
}

export function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === "string") throw new Error("the listener has no port");
  return address.port;
}

/** @returns the origin of a listener, an IPv6 address in brackets */
export function originOf(host: string, port: number, scheme: "http" | "https" = "http"): string {
  return `${scheme}://${isIPv6(host) ? `[${host}]` : host}:${port}`;
}
