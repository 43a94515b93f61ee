/** What would be decided for a shopper, and why; asked by a person, decided by the same function. */
import { bucketOf, bytesOf } from "../decide/bucket.ts";
import { type Decision, decide } from "../decide/decide.ts";
import { type CutoverState, initialState } from "../state/model.ts";
import type { Following } from "../state/snapshot.ts";
import type { Table } from "./table.ts";

export interface Question {
  /** As text; hashed as its UTF-8 bytes. */
  readonly shopper?: string | undefined;
  readonly path?: string | undefined;
  readonly method?: string | undefined;
}

export interface Explained {
  readonly decision: Decision;
  readonly bucket: number | undefined;
  readonly state: CutoverState;
}

/** @returns `undefined` when the cutover does not exist or the path is on none of its routes */
export function explain(
  table: Table,
  following: Following,
  name: string,
  question: Question,
): Explained | undefined {
  const cutover = table.cutovers.get(name);
  if (cutover === undefined) return undefined;
  if (question.path !== undefined) {
    const [path = ""] = question.path.split("?");
    const match = table.router.match(question.method ?? "GET", path);
    if (match?.value.cutover !== cutover) return undefined;
  }
  const shopper = question.shopper ? bytesOf(question.shopper) : undefined;
  const bucket = shopper === undefined ? undefined : bucketOf(cutover.salt, shopper);
  const state = following.current().states.get(name) ?? initialState();
  const stale = cutover.staleAfterMs !== undefined && following.isStale(cutover.staleAfterMs);
  const decision = decide(state, { owner: undefined, journey: undefined, forced: undefined, bucket, stale });
  return { decision, bucket, state };
}
