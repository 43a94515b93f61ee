/** The reasons given later for changes, beside the audit: see annotate.lua for why it is a stream of its own. */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { StoreUnavailable } from "../../../base/unavailable.ts";
import type { Attempts, Caller } from "../../../redis/calls.ts";
import { monotonicMs } from "../../../redis/client.ts";
import type { Annotation } from "../../rules/origin.ts";
import type { Annotating } from "../port.ts";
import { answerMs } from "./cutovers.ts";
import type { Keys } from "./keys.ts";
import { viewFrom } from "./replies.ts";
import type { Scripts } from "./scripts/scripts.ts";

const reply = z.union([
  z.tuple([z.enum(["late", "unknown"])]),
  z.tuple([z.literal("annotated"), z.string()]),
]);

/** Like a change: one that is answered with StoreUnavailable is not made later. */
export async function annotate(
  { caller, scripts, keys }: { readonly caller: Caller; readonly scripts: Scripts; readonly keys: Keys },
  { name, version, by, reason, via, requestId }: Annotating,
  giveUpAtMs: number,
): Promise<Annotation | undefined> {
  const cutover = keys.cutover(name);
  const [found] = await caller.run([{ script: scripts.read, keys: cutover, args: [""] }], giveUpAtMs);
  const { serverMs, receivedAtMs } = viewFrom(found, monotonicMs());
  const deadline = Math.floor(serverMs + (giveUpAtMs - answerMs - receivedAtMs));
  const call = {
    script: scripts.annotate,
    keys: [...cutover, keys.annotations(name)],
    args: [deadline, randomUUID(), version, by, reason, via, requestId ?? ""],
  };
  const attempts: Attempts = { unanswered: false };
  try {
    const [kind, at] = reply.parse(await caller.runOnce(() => call, attempts, giveUpAtMs));
    if (kind === "late") throw new StoreUnavailable("Redis did not answer in time");
    if (kind === "unknown" || at === undefined) return undefined;
    return { at, by, reason, via, ...(requestId === undefined ? {} : { requestId }) };
  } catch (error) {
    if (attempts.unanswered) await sleep(Math.max(0, giveUpAtMs - monotonicMs()));
    throw error;
  }
}
