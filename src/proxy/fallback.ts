/** Whether a request that was for new may go to legacy, because new could not be connected to. */
import type { Readable } from "node:stream";
import type { Decided } from "./request/owner-lookup.ts";
import type { Failure } from "./upstream/port.ts";

/** Only where nothing was sent, nothing is owned or pinned, and the body is still there to be sent. */
export function mayFallBack(decided: Decided, failure: Failure, content: Buffer | Readable): boolean {
  const { decision, route, pin, keys, begun } = decided;
  if (failure.outcome !== "connect_failed" || failure.sent || decision.side !== "new") return false;
  if (
    !route.cutover.fallback ||
    keys.length > 0 ||
    pin !== undefined ||
    begun !== undefined ||
    decision.reason === "closed"
  )
    return false;
  return Buffer.isBuffer(content) || !(content.readableDidRead || content.destroyed);
}
