/**
 * Two connections joined after a change of protocol: what one side sends the other gets, as fast as it takes it.
 *
 * Both end together. A side that ends its direction has all it sent delivered; then the other has a second for its last
 * words. One that breaks off breaks the other off at once, held back or not. Silence of both, or age, ends both.
 */
import type { Duplex } from "node:stream";
import { isReset, lostAfterMs } from "../listen/lost-peer.ts";
import type { Switched, UpgradeLimits } from "../upstream/port.ts";

/** closed: by either side, in good order; reset: one broke off; idle, lifetime: the limit that ended it. */
export const tunnelEnds = ["closed", "reset", "idle", "lifetime"] as const;
export type TunnelEnd = (typeof tunnelEnds)[number];

/** How long the other side has for its last words, and a slow reader once a limit has ended the two. */
const lingerMs = 1000;

/** @param onEnd called once, when both connections are closed */
export function joinTunnel(
  client: Switched,
  upstream: Switched,
  { idleMs, lifetimeMs }: UpgradeLimits,
  onEnd: (end: TunnelEnd) => void,
): void {
  const ends = [client.stream, upstream.stream] as const;
  /** Why they end: what came first. */
  let end: TunnelEnd | undefined;
  let linger: NodeJS.Timeout | undefined;
  let open: number = ends.length;
  /** Runs while one of them is held back. */
  let watch: NodeJS.Timeout | undefined;

  const idle = setTimeout(finish, idleMs, "idle");
  const lifetime = setTimeout(finish, lifetimeMs, "lifetime");

  function finish(why: TunnelEnd): void {
    end ??= why;
    for (const stream of ends) endSoon(stream);
    beginLinger();
  }
  function beginLinger(): void {
    linger ??= setTimeout(destroy, lingerMs);
  }
  function destroy(): void {
    for (const stream of ends) stream.destroy();
  }
  function closed(other: Duplex, broken: boolean): void {
    end ??= broken ? "reset" : "closed";
    open -= 1;
    if (broken) other.destroy();
    else endSoon(other);
    if (open > 0) return;
    clearTimeout(idle);
    clearTimeout(lifetime);
    clearTimeout(linger);
    clearInterval(watch);
    onEnd(end);
  }
  function watchHeld(): void {
    const held = ends.filter((stream) => stream.isPaused());
    for (const stream of held) {
      if (isReset(stream)) stream.destroy(new Error("reset"));
    }
    if (held.length > 0) return;
    clearInterval(watch);
    watch = undefined;
  }
  function flow(from: Duplex, to: Duplex): void {
    let broken = false;
    from.on("data", (chunk: Buffer) => {
      if (linger === undefined) idle.refresh();
      if (!to.writable || to.write(chunk)) return;
      from.pause();
      watch ??= setInterval(watchHeld, lostAfterMs);
    });
    from.on("end", () => {
      end ??= "closed";
      to.end(beginLinger);
    });
    to.on("drain", () => from.resume());
    from.on("error", () => {
      broken = true;
    });
    from.on("close", () => closed(to, broken || !from.readableEnded));
  }

  flow(client.stream, upstream.stream);
  flow(upstream.stream, client.stream);
  if (client.first.length > 0) upstream.stream.write(client.first);
  if (upstream.first.length > 0) client.stream.write(upstream.first);
  // One may have gone before it was listened to.
  if (ends.some((stream) => stream.destroyed)) destroy();
  if (client.stream.closed) process.nextTick(closed, upstream.stream, true);
  if (upstream.stream.closed) process.nextTick(closed, client.stream, true);
  for (const stream of ends) stream.resume();
}

/** Ends it once what was written is out, and lets go of it then whatever the peer does. */
function endSoon(stream: Duplex): void {
  if (stream.destroyed) return;
  stream.end(() => stream.destroy());
}
