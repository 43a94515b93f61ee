/**
 * Two connections joined after a change of protocol: what one side sends the other gets, as fast as it takes it.
 *
 * Both end together. A side that ends its direction cleanly has what it sent delivered, then the other's direction is
 * ended too; one that breaks off breaks the other off. Silence of both, or age, ends both. Whatever holds an ending
 * up, it takes no longer than the linger.
 */
import type { Duplex } from "node:stream";
import type { TunnelEnd } from "../telemetry/upgrades.ts";
import type { Switched, UpgradeLimits } from "./forward/port.ts";

/** How long an ending may take: for the other side's last words, and for a slow reader. */
const lingerMs = 5000;

/** @param onEnd called once, when both connections are closed */
export function joinTunnel(
  client: Switched,
  upstream: Switched,
  { idleMs, lifetimeMs }: UpgradeLimits,
  onEnd: (end: TunnelEnd) => void,
): void {
  const ends = [client.stream, upstream.stream] as const;
  let end: TunnelEnd | undefined;
  let linger: NodeJS.Timeout | undefined;
  let open: number = ends.length;

  const idle = setTimeout(finish, idleMs, "idle");
  const lifetime = setTimeout(finish, lifetimeMs, "lifetime");

  /** Says why it ends, once, and when it must have. */
  function ending(why: TunnelEnd): void {
    if (end !== undefined) return;
    end = why;
    clearTimeout(idle);
    clearTimeout(lifetime);
    linger = setTimeout(destroy, lingerMs);
  }
  function finish(why: TunnelEnd): void {
    ending(why);
    for (const stream of ends) endSoon(stream);
  }
  function destroy(): void {
    for (const stream of ends) stream.destroy();
  }
  function closed(other: Duplex, broken: boolean): void {
    ending(broken ? "reset" : "closed");
    open -= 1;
    if (broken) other.destroy();
    else endSoon(other);
    if (open > 0) return;
    clearTimeout(linger);
    onEnd(end ?? "closed");
  }
  function flow(from: Duplex, to: Duplex): void {
    let broken = false;
    from.on("data", (chunk: Buffer) => {
      if (end === undefined) idle.refresh();
      if (to.writable && !to.write(chunk)) from.pause();
    });
    from.on("end", () => {
      ending("closed");
      to.end();
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
