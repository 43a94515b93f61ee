/**
 * Who keeps a connection to the admin listener where many are open. A connection is a stranger's until a request on it has
 * shown right credentials. Strangers have most of the places, one address but some of them, and some are kept for
 * loopback; the rest is for those who are known. Whoever comes is let in. Connections are looked at each moment while
 * there are many, and those that were there before, in which time anybody who wants something has said it, go where they
 * are too many:
 *
 *   first   silent ones: no request has come whole, the longest first
 *   then    idle ones: their requests were answered
 *   then    those that for 2 s have neither sent the whole of their request nor read the whole of their answer; whoever
 *           waits for an answer that is not there yet stays
 *
 * So thousands that only hold a connection, from near or far, take nobody's place who asks for something.
 */
import type { Socket } from "node:net";
import type { Clock, Timers } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import { networkOf } from "../../config/values/network.ts";
import { isLoopbackHost } from "../access/tokens.ts";

interface PlaceLimits {
  /** Of all connections. */
  readonly all: number;
  readonly strangers: number;
  /** Of strangers of one address; loopback has no such limit. */
  readonly perAddress: number;
  /** Of strangers' places those that only loopback takes. */
  readonly loopback: number;
}

const placeLimits: PlaceLimits = { all: 512, strangers: 384, perAddress: 64, loopback: 64 };

export interface Places {
  accepted(socket: Socket): void;
  /** A request has come, as far as its head. */
  asked(request: Asked): void;
  /** It was answered, or given up. */
  answered(socket: Socket): void;
  /** It has shown right credentials. */
  known(socket: Socket): void;
}

/** A request under way. */
interface Asked {
  readonly socket: Socket;
  /** Whether its body is here, too. */
  readonly complete: boolean;
}

interface PlacesOptions {
  readonly limits?: PlaceLimits;
  readonly clock: Pick<Clock, "monotonic">;
  readonly timers: Timers;
  readonly log: Pick<Log, "warn">;
}

interface Connection {
  readonly socket: Socket;
  readonly network: string;
  readonly isNear: boolean;
  isKnown: boolean;
  doing: "silent" | "idle" | "busy";
  request: Asked | undefined;
  /** Since when, by the monotonic clock. */
  sinceMs: number;
  /** It was there when they were looked at before: what it had sent by then has been read meanwhile, however busy this is. */
  isSeen: boolean;
}

/** How long a new connection may be silent, however many there are. */
const momentMs = 50;
const slowMs = 2000;
/** So many may be closed at a look. */
const leastClosed = 32;
const tellEveryMs = 60_000;
const order = { silent: 0, idle: 1, busy: 2 } as const;

export function createPlaces(options: PlacesOptions): Places {
  const { limits = placeLimits, clock, timers, log } = options;
  /** By the peer's address and port: what a TLS connection is made over has the same. */
  const connections = new Map<string, Connection>();
  let isLookingSoon = false;
  let toldMs = Number.NEGATIVE_INFINITY;
  let untold = 0;

  function tell(closed: number): void {
    untold += closed;
    const nowMs = clock.monotonic();
    if (untold === 0 || nowMs - toldMs < tellEveryMs) return;
    log.warn({ closed: untold }, "too many connections to the admin listener: silent ones are closed");
    toldMs = nowMs;
    untold = 0;
  }

  function lookSoon(): void {
    if (isLookingSoon || connections.size <= Math.min(limits.perAddress, limits.strangers)) return;
    isLookingSoon = true;
    timers.after(momentMs, () => {
      isLookingSoon = false;
      closeTooMany();
    });
  }

  function closeTooMany(): void {
    const open = [...connections.values()].filter(({ socket }) => !socket.destroyed);
    const { over, areMore } = tooMany(open, limits, clock.monotonic());
    // Little by little: those that come again come one after the other then, too.
    const now = over.slice(0, Math.max(leastClosed, Math.ceil(over.length / 4)));
    for (const { socket } of now) socket.destroy();
    for (const one of open) one.isSeen = true;
    tell(now.length);
    if (areMore || now.length < over.length) lookSoon();
  }

  function note(socket: Socket, change: Partial<Connection>): void {
    const connection = connections.get(keyOf(socket));
    if (connection !== undefined) Object.assign(connection, change);
  }

  return {
    accepted(socket) {
      const key = keyOf(socket);
      const address = socket.remoteAddress ?? "";
      const connection: Connection = {
        socket,
        network: networkOf(address),
        isNear: isLoopbackHost(address.replace(/^::ffff:/i, "")),
        isKnown: false,
        doing: "silent",
        request: undefined,
        sinceMs: clock.monotonic(),
        isSeen: false,
      };
      connections.set(key, connection);
      socket.once("close", () => {
        if (connections.get(key) === connection) connections.delete(key);
      });
      lookSoon();
    },
    asked: (request) => note(request.socket, { doing: "busy", request, sinceMs: clock.monotonic() }),
    answered: (socket) => note(socket, { doing: "idle", request: undefined, sinceMs: clock.monotonic() }),
    known: (socket) => note(socket, { isKnown: true }),
  };
}

/** @returns those that go now, and whether there are more that are too many and have time yet */
function tooMany(
  open: readonly Connection[],
  limits: PlaceLimits,
  nowMs: number,
): { readonly over: readonly Connection[]; readonly areMore: boolean } {
  const strangers = open.filter(({ isKnown }) => !isKnown);
  strangers.sort((a, b) => order[a.doing] - order[b.doing] || a.sinceMs - b.sinceMs);
  const ofNetwork = new Map<string, number>();
  let far = 0;
  for (const { network, isNear } of strangers) {
    if (isNear) continue;
    far += 1;
    ofNetwork.set(network, (ofNetwork.get(network) ?? 0) + 1);
  }
  let left = strangers.length;
  const most = Math.min(limits.strangers, Math.max(0, limits.all - (open.length - left)));
  /** The narrowest first: nobody goes for what one address alone has too many of. */
  const rules: readonly ((one: Connection) => boolean)[] = [
    ({ isNear, network }) => !isNear && (ofNetwork.get(network) ?? 0) > limits.perAddress,
    ({ isNear }) => !isNear && far > most - limits.loopback,
    () => left > most,
  ];
  const over = new Set<Connection>();
  let areMore = false;
  for (const isTooMany of rules) {
    for (const one of strangers) {
      const { network, isNear, isSeen } = one;
      if (over.has(one) || !isTooMany(one)) continue;
      if (!isSeen || !isIdle(one, nowMs)) {
        areMore = true;
        continue;
      }
      over.add(one);
      left -= 1;
      if (isNear) continue;
      far -= 1;
      ofNetwork.set(network, (ofNetwork.get(network) ?? 1) - 1);
    }
  }
  return { over: [...over], areMore };
}

/** Whether it has asked for nothing, or does not go on with what it asked for. */
function isIdle({ request, sinceMs }: Connection, nowMs: number): boolean {
  if (request === undefined) return nowMs - sinceMs >= momentMs;
  const isStuck = !request.complete || request.socket.writableLength > 0;
  return isStuck && nowMs - sinceMs >= slowMs;
}

function keyOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
