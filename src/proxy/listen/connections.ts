/**
 * The connections of a listener: how many there may be, on which of them an answer is under way, and how they end once
 * the listener stops.
 *
 *   serving   Connections come, up to the most there may be.
 *   draining  Each answer whose head is still to come closes its connection (RFC 9112 §9.6). One that stays idle for a
 *             while is closed, and not sooner, since a request may be on its way.
 *   overdue   The grace is over, by the clock and not by a timer, which a busy process may hear of late: what is under
 *             way is cut. Idle connections have what is left of that while, a short one at most; a request that comes on
 *             one all the same is refused.
 */
import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import type { Peer } from "../inbound.ts";
import type { InTurn } from "./http1/pipelining.ts";
import type { ConnectionCounts } from "./metrics.ts";
import type { Introduced } from "./proxy-protocol.ts";

/** How long a request that comes when it is too late is still refused instead of cut. */
const lastCallMs = 500;

type Phase = "serving" | "draining" | "overdue";

export interface ClientConnection extends InTurn {
  readonly socket: Socket;
  readonly peer: Peer;
  /** Octets on it that were no request's. */
  readonly prefaceBytes: number;
  /** Answers under way on it or waiting their turn. */
  answering: number;
  /** A refusal is its last word: it closes by itself, and a cut could overtake what was written. */
  isRefused: boolean;
}

export interface ClientConnections {
  readonly phase: Phase;
  /** Whether this may be one more, beside so many that are not made yet; one that may not is counted. */
  admits(socket: Socket, unmade?: number): boolean;
  knows(socket: Socket): boolean;
  /**
   * @param answering absent where requests are told of one by one
   * @param introduced what it said in front of them, if anything
   */
  add(socket: Socket, answering?: number, introduced?: Introduced): ClientConnection;
  of(socket: Socket): ClientConnection;
  /** An answer is over. @returns whether no other is under way */
  answered(connection: ClientConnection): boolean;
  /**
   * @param graceMs how long what is under way may go on
   * @param idleMs how long a connection may be idle
   * @param onCut the last of them are closed now
   * @returns takes back what is to come
   */
  drain(graceMs: number, idleMs: number, onCut: () => void): () => void;
}

/** @param most how many there may be */
export function createClientConnections(most: () => number, counts: ConnectionCounts): ClientConnections {
  const all = new Map<Socket, ClientConnection>();
  const mostDescriptors = limitForClients();
  let overdueAt: number | undefined;
  let mostIdleMs = 0;

  function phaseNow(): Phase {
    if (overdueAt === undefined) return "serving";
    return performance.now() < overdueAt ? "draining" : "overdue";
  }

  function closeOnceIdle(connection: ClientConnection): void {
    if (connection.answering > 0) return;
    const close = () => {
      if (connection.answering === 0 && !connection.isRefused) connection.socket.destroy();
    };
    setTimeout(() => afterReading(close), mostIdleMs).unref();
  }

  return {
    get phase() {
      return phaseNow();
    },
    // Not net.Server's own limit: of workers that share a port it hands the connection from one to the next, and on.
    admits(socket, unmade = 0) {
      const isAdmitted = all.size + unmade < most() && descriptorOf(socket) < mostDescriptors;
      if (!isAdmitted) counts.refused();
      return isAdmitted;
    },
    knows: (socket) => all.has(socket),
    add(socket, answering = 0, introduced) {
      const connection = connectionOf(socket, answering, introduced);
      all.set(socket, connection);
      counts.opened();
      socket.on("close", () => {
        all.delete(socket);
        counts.closed();
      });
      if (overdueAt !== undefined) closeOnceIdle(connection);
      return connection;
    },
    // Nothing is known of who may be behind one that is over.
    of: (socket) => all.get(socket) ?? connectionOf(socket, 0, { peer: over, bytes: 0 }),
    answered(connection) {
      connection.answering = Math.max(0, connection.answering - 1);
      if (overdueAt !== undefined) closeOnceIdle(connection);
      return connection.answering === 0;
    },
    drain(graceMs, idleMs, onCut) {
      overdueAt = performance.now() + graceMs;
      mostIdleMs = idleMs;
      for (const connection of all.values()) closeOnceIdle(connection);
      let timer = setTimeout(cutUnderWay, graceMs);

      function cutUnderWay(): void {
        for (const { socket, answering, isRefused } of all.values()) {
          if (answering > 0 && !isRefused) socket.destroy();
        }
        timer = setTimeout(() => afterReading(cutAll), Math.min(idleMs, lastCallMs));
      }
      function cutAll(): void {
        for (const { socket, isRefused } of all.values()) if (!isRefused) socket.destroy();
        onCut();
      }
      return () => clearTimeout(timer);
    },
  };
}

const over = { address: "", isUntold: true };

function connectionOf(
  socket: Socket,
  answering: number,
  introduced: Introduced | undefined,
): ClientConnection {
  const encrypted = "encrypted" in socket;
  const peer =
    introduced === undefined
      ? { address: socket.remoteAddress ?? "", encrypted }
      : { ...introduced.peer, encrypted };
  // Of TLS only what was in it is counted as read.
  const prefaceBytes = encrypted ? 0 : (introduced?.bytes ?? 0);
  return { socket, peer, prefaceBytes, answering, isRefused: false, latest: undefined };
}

/**
 * The system gives each connection the lowest descriptor that is free: one as high as this tells that they are running
 * out. Without any libuv closes what comes and tells nobody; and a quarter is for upstreams, the store and the admin API.
 *
 * @returns Infinity where the system tells no limit (other than Linux)
 */
function limitForClients(): number {
  try {
    const [, soft = ""] = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
    return soft === "" ? Number.POSITIVE_INFINITY : Math.floor(Number(soft) * 0.75);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/** @returns -1 where Node does not tell it */
function descriptorOf(socket: Socket): number {
  const handle = "_handle" in socket ? socket._handle : undefined;
  const isOpen = typeof handle === "object" && handle !== null && "fd" in handle;
  return isOpen && typeof handle.fd === "number" ? handle.fd : -1;
}

/** Once what has arrived was read: a busy process hears of its timers first, and reads between two immediates. */
function afterReading(act: () => void): void {
  setImmediate(() => setImmediate(act));
}
