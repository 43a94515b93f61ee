/** How past requests with a key were decided, as the admin API says it. */
import type { PastView } from "../../admin/api/past/past-view.ts";
import type { Clock } from "../../base/clock.ts";
import { StoreUnavailable } from "../../base/errors.ts";
import { bytesOf } from "../../decide/bucket.ts";
import { keyDigest, type PastDecision, type PastStore } from "../../ownership/past/port.ts";
import { pastAt } from "../../ownership/past/sentence.ts";

/** @param key as text @param at RFC 3339; without it, now @returns also while the store is out of reach: it says so then */
export async function lookAtPast(
  store: Pick<PastStore, "of">,
  { now }: Pick<Clock, "now">,
  { name, key, at }: { readonly name: string; readonly key: string; readonly at: string | undefined },
): Promise<PastView> {
  const digest = keyDigest(bytesOf(key));
  const found = await store.of(name, digest).catch((error) => {
    if (error instanceof StoreUnavailable) return "unknown" as const;
    throw error;
  });
  const { decided, sentence } = pastAt(found, at === undefined ? now() : Date.parse(at));
  const { decisions = [], omitted = 0, answered = {} } = typeof found === "object" ? found : {};
  const text = (ms: number | undefined) => (ms === undefined ? null : new Date(ms).toISOString());
  return {
    digest,
    at: at ?? null,
    decided: at === undefined || decided === undefined ? null : decisionView(decided),
    decisions: decisions.map(decisionView),
    omitted,
    answered: { legacy: text(answered.legacy), new: text(answered.new) },
    sentence,
  };
}

function decisionView({ atMs, ...decision }: PastDecision) {
  return { at: new Date(atMs).toISOString(), ...decision };
}
