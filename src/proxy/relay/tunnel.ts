/**
 * Two connections joined after a change of protocol: what one side sends the other gets, as fast as it takes it.
 *
 * Both end together. A side that ends its direction has all it sent delivered; then the other has a second for its last
 * words. One that breaks off breaks the other off at once, read or not. Silence of both, or age, ends both.
 */
import type { Duplex } from "node:stream";
import { isReset, lostAfterMs } from "../listen/lost-peer.ts";
import type { Switched, UpgradeLimits } from "../upstream/port.ts";

/** closed: by either side, in good order; reset: one broke off; idle, lifetime: the limit that ended it. */
export const tunnelEnds = ["closed", "reset", "idle", "lifetime"] as const;
export type TunnelEnd = (typeof tunnelEnds)[number];

/** How long the other side has for its last words, and a slow reader once a limit has ended the two. */
const lingerMs = 1000;

interface Tunnel {
  readonly ends: readonly [Duplex, Duplex];
  readonly onEnd: (end: TunnelEnd) => void;
  /** How many of the two are not closed yet. */
  unclosed: number;
  /** Why they end: what came first. */
  end: TunnelEnd | undefined;
  idle: NodeJS.Timeout | undefined;
  lifetime: NodeJS.Timeout | undefined;
  linger: NodeJS.Timeout | undefined;
  /** Runs while one of them is not read. */
  watch: NodeJS.Timeout | undefined;
}

/** @param onEnd called once, when both connections are closed */
export function joinTunnel(
  client: Switched,
  upstream: Switched,
  { idleMs, lifetimeMs }: UpgradeLimits,
  onEnd: (end: TunnelEnd) => void,
): void {
  const ends = [client.stream, upstream.stream] as const;
  const tunnel: Tunnel = {
    ends,
    onEnd,
    unclosed: ends.length,
    end: undefined,
    idle: undefined,
    lifetime: undefined,
    linger: undefined,
    watch: undefined,
  };
  tunnel.idle = setTimeout(finish, idleMs, tunnel, "idle");
  tunnel.lifetime = setTimeout(finish, lifetimeMs, tunnel, "lifetime");
  flow(tunnel, client.stream, upstream.stream);
  flow(tunnel, upstream.stream, client.stream);
  if (client.first.length > 0) upstream.stream.write(client.first);
  if (upstream.first.length > 0) client.stream.write(upstream.first);
  // One may have gone before it was listened to.
  if (ends.some((stream) => stream.destroyed)) destroyBoth(tunnel);
  if (client.stream.closed) process.nextTick(closed, tunnel, upstream.stream, true);
  if (upstream.stream.closed) process.nextTick(closed, tunnel, client.stream, true);
  for (const stream of ends) stream.resume();
}

function flow(tunnel: Tunnel, from: Duplex, to: Duplex): void {
  let broken = false;
  from.on("data", (chunk: Buffer) => {
    if (tunnel.linger === undefined) tunnel.idle?.refresh();
    if (!to.writable || to.write(chunk)) return;
    from.pause();
    tunnel.watch ??= setInterval(watchUnread, lostAfterMs, tunnel);
  });
  from.on("end", () => {
    tunnel.end ??= "closed";
    to.end(() => beginLinger(tunnel));
  });
  to.on("drain", () => from.resume());
  from.on("error", () => {
    broken = true;
  });
  from.on("close", () => closed(tunnel, to, broken || !from.readableEnded));
}

/** Node does not hear of the reset of one that is not read (lost-peer.ts). */
function watchUnread(tunnel: Tunnel): void {
  const unread = tunnel.ends.filter((stream) => stream.isPaused());
  for (const stream of unread) {
    if (isReset(stream)) stream.destroy(new Error("reset"));
  }
  if (unread.length > 0) return;
  clearInterval(tunnel.watch);
  tunnel.watch = undefined;
}

function finish(tunnel: Tunnel, why: TunnelEnd): void {
  tunnel.end ??= why;
  for (const stream of tunnel.ends) endSoon(stream);
  beginLinger(tunnel);
}

function beginLinger(tunnel: Tunnel): void {
  tunnel.linger ??= setTimeout(destroyBoth, lingerMs, tunnel);
}

function destroyBoth({ ends }: Tunnel): void {
  for (const stream of ends) stream.destroy();
}

function closed(tunnel: Tunnel, other: Duplex, broken: boolean): void {
  tunnel.end ??= broken ? "reset" : "closed";
  tunnel.unclosed -= 1;
  if (broken) other.destroy();
  else endSoon(other);
  if (tunnel.unclosed > 0) return;
  clearTimeout(tunnel.idle);
  clearTimeout(tunnel.lifetime);
  clearTimeout(tunnel.linger);
  clearInterval(tunnel.watch);
  tunnel.onEnd(tunnel.end);
}

/** Ends it once what was written is out, and lets go of it then whatever the peer does. */
function endSoon(stream: Duplex): void {
  if (stream.destroyed) return;
  stream.end(() => stream.destroy());
}
