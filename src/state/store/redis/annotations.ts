/** The reasons given later for changes, beside the audit: see annotate.lua for why it is a stream of its own. */
import { randomUUID } from "node:crypto";
import { z } from "zod";
import type { Caller } from "../../../redis/calls.ts";
import { monotonicMs } from "../../../redis/client.ts";
import type { Annotation } from "../../rules/history.ts";
import type { Annotating } from "../port.ts";
import type { Keys } from "./keys.ts";
import { viewFrom } from "./replies.ts";
import type { Scripts } from "./scripts/scripts.ts";

const reply = z.union([z.tuple([z.literal("unknown")]), z.tuple([z.literal("annotated"), z.string()])]);

/** Like a change of a cutover: one that is answered with StoreUnavailable is not made later. */
export function annotate(
  { caller, scripts, keys }: { readonly caller: Caller; readonly scripts: Scripts; readonly keys: Keys },
  { name, version, by, reason, via, requestId }: Annotating,
  giveUpAtMs: number,
): Promise<Annotation | undefined> {
  const cutover = keys.cutover(name);
  return caller.change(giveUpAtMs, async (change) => {
    const [found] = await caller.run([{ script: scripts.read, keys: cutover }], giveUpAtMs);
    const deadline = change.deadline(viewFrom(found, monotonicMs()));
    const call = {
      script: scripts.annotate,
      keys: [...cutover, keys.annotations(name)],
      args: { deadline, write: randomUUID(), version, by, reason, via, requestId },
    };
    const [kind, at] = reply.parse(await change.once(() => call));
    if (kind === "unknown" || at === undefined) return undefined;
    return { at, by, reason, via, ...(requestId === undefined ? {} : { requestId }) };
  });
}
