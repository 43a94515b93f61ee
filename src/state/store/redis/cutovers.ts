/**
 * Reading and changing cutovers in Redis.
 *
 * Every write is a compare-and-set in one script: a state that was judged is written over only as long as it is
 * still the one that was judged; if it is not, it is read and judged again, as long as there is time.
 *
 * A change that is answered with StoreUnavailable is not in force later (redis/calls.ts says how).
 *
 * A store that has lost a change the caller has followed (rules/lineage.ts) is lowered to it, by one change called
 * `reconciled` with an id that all who find the same share: made once, also for those who come back later.
 */
import { randomUUID } from "node:crypto";
import { StoreUnavailable } from "../../../base/errors.ts";
import { type Caller, type ChangeUnderWay, deadlineOf } from "../../../redis/calls.ts";
import { monotonicMs } from "../../../redis/client.ts";
import { type HandEditVerdict, judgeHandEdit, type RejectedField, type View } from "../../rules/hand-edit.ts";
import type { Fenced } from "../../rules/leases/lease.ts";
import { ceilingOf, type RegressionKind, regressionOf, regressionReason } from "../../rules/lineage.ts";
import type { Applied, CutoverState } from "../../rules/model.ts";
import { withStarts } from "../../rules/percent.ts";
import type { LastGood } from "../../rules/succession.ts";
import { isBelievable } from "../../rules/written.ts";
import type { Command, Loaded, Regression, Rejection, StartsOf } from "../port.ts";
import { applyReplyFrom, viewFrom } from "./replies.ts";
import type { Calls } from "./scripts.ts";

interface CutoversInRedis {
  readonly caller: Caller;
  readonly calls: Calls;
  /** Found and not yet settled, by cutover: what contradicts the store is gone once the state is given back. */
  readonly contradictions: Map<string, Contradiction>;
  /** Lost and settled since the last load that was answered. */
  readonly regressions: Regression[];
  readonly starts: StartsOf;
}

interface Contradiction {
  readonly kind: RegressionKind;
  readonly followed: CutoverState;
  readonly stored: CutoverState;
}

interface Settled {
  readonly view: View;
  readonly state: CutoverState;
  readonly rejected: readonly (RejectedField | "type")[];
  /** Whether the caller's last good state was given back to the store. */
  readonly restored: boolean;
}

/** `load` of the store's port. */
export async function loadCutovers(
  redis: CutoversInRedis,
  names: readonly string[],
  lastGood: LastGood,
  giveUpAtMs: number,
): Promise<Loaded> {
  const views = await read(redis, names, lastGood, giveUpAtMs);
  const settled = await Promise.all(
    names.map((name, at) => settle(redis, name, lastGood.get(name), giveUpAtMs, views[at])),
  );
  const states = new Map<string, CutoverState>();
  const rejections: Rejection[] = [];
  const restored: string[] = [];
  for (const [at, name] of names.entries()) {
    const found = settled[at];
    if (found === undefined) continue;
    states.set(name, found.state);
    if (found.restored) restored.push(name);
    if (found.rejected.length > 0) {
      const { digest, raw } = found.view.visible;
      rejections.push({ name, fields: found.rejected, fingerprint: digest, found: raw });
    }
  }
  return { states, rejections, restored, regressions: redis.regressions.splice(0) };
}

/** `apply` of the store's port. */
export function applyCommand(
  redis: CutoversInRedis,
  command: Command,
  giveUpAtMs: number,
): Promise<Applied | Fenced> {
  return redis.caller.change(giveUpAtMs, (change) => apply(redis, command, change, giveUpAtMs));
}

async function apply(
  redis: CutoversInRedis,
  { lastGood, id, ...command }: Command,
  change: ChangeUnderWay,
  giveUpAtMs: number,
): Promise<Applied | Fenced> {
  const write = id ?? randomUUID();
  const starts = redis.starts(command.name);
  for (;;) {
    const { view } = await settle(redis, command.name, lastGood, giveUpAtMs);
    const deadline = change.deadline(view);
    const answer = await change.once((isRepeated) =>
      redis.calls.apply(view, { write, again: isRepeated || id !== undefined, deadline, command, starts }),
    );
    const reply = applyReplyFrom(answer);
    if (reply !== "moved") return reply;
  }
}

/** What stands in the store for each, in one go, and how it came after what the caller has followed. */
async function read(
  { caller, calls, starts }: CutoversInRedis,
  names: readonly string[],
  lastGood: LastGood,
  giveUpAtMs: number,
): Promise<readonly View[]> {
  const replies = await caller.run(
    names.map((name) => calls.read(name, starts(name), lastGood.get(name)?.version)),
    giveUpAtMs,
  );
  const receivedAtMs = monotonicMs();
  return replies.map((reply) => viewFrom(reply, receivedAtMs));
}

async function readOne(
  redis: CutoversInRedis,
  name: string,
  good: CutoverState | undefined,
  giveUpAtMs: number,
): Promise<View> {
  const [view] = await read(redis, [name], new Map(good === undefined ? [] : [[name, good]]), giveUpAtMs);
  if (view === undefined) throw new StoreUnavailable("Redis gave no answer");
  return view;
}

/**
 * Restores and adopts until there is nothing left to do about the cutover.
 *
 * @param first what was read already
 */
async function settle(
  redis: CutoversInRedis,
  name: string,
  lastGood: CutoverState | undefined,
  giveUpAtMs: number,
  first?: View,
): Promise<Settled> {
  const good = lastGood !== undefined && isBelievable(lastGood) ? lastGood : undefined;
  let restored = false;
  let isLookedFor = good !== undefined;
  let view = first ?? (await readOne(redis, name, good, giveUpAtMs));
  for (;;) {
    const stored = view.accepted.state;
    if (isLookedFor && good !== undefined && stored !== undefined) {
      const kind = regressionOf(good, stored, view.lineage);
      if (kind !== undefined) redis.contradictions.set(name, { kind, followed: good, stored });
      isLookedFor = false;
    }
    const verdict = judgeHandEdit(view, good, redis.starts(name));
    const contradiction = redis.contradictions.get(name);
    if (verdict.kind === "settled" && contradiction === undefined)
      return { view, state: verdict.state, rejected: verdict.rejected, restored };
    if (monotonicMs() >= giveUpAtMs) throw new StoreUnavailable("the store changes faster than it is read");
    if (verdict.kind !== "settled") {
      const done = await carryOut(redis, name, view, verdict, giveUpAtMs);
      if (done && verdict.kind === "restore" && verdict.given) restored = true;
    } else if (contradiction !== undefined) {
      await reconcile(redis, name, view, contradiction, giveUpAtMs);
    }
    view = await readOne(redis, name, good, giveUpAtMs);
  }
}

/** @returns false when somebody else was faster */
async function carryOut(
  { caller, calls, starts }: CutoversInRedis,
  name: string,
  view: View,
  verdict: Exclude<HandEditVerdict, { kind: "settled" }>,
  giveUpAtMs: number,
): Promise<boolean> {
  const call =
    verdict.kind === "restore"
      ? calls.restore(view, name, verdict.state, verdict.show, starts(name))
      : calls.adopt(view, name, randomUUID(), verdict, starts(name));
  const [answer] = await caller.run([call], giveUpAtMs);
  return answer !== "moved";
}

/** Lowers the store to what it has lost, or what was lost to what it has. Unless somebody else was faster. */
async function reconcile(
  { caller, calls, contradictions, regressions, starts: startsOf }: CutoversInRedis,
  name: string,
  view: View,
  { kind, followed, stored }: Contradiction,
  giveUpAtMs: number,
): Promise<void> {
  const current = view.accepted.state;
  const starts = startsOf(name);
  const limits = (kind === "older" ? [followed, stored] : [followed]).map((state) =>
    withStarts(state, starts),
  );
  const ceiling = ceilingOf(limits);
  const reason = regressionReason(kind, followed, stored);
  if (ceiling !== undefined) {
    const call = calls.apply(view, {
      write: contradictionId({ kind, followed, stored }),
      again: true,
      deadline: deadlineOf(view, giveUpAtMs),
      starts,
      command: {
        name,
        change: { action: "reconciled", ceiling },
        actor: { name: "store check", role: "responder" },
        reason,
        origin: { via: "reconciled" },
      },
    });
    const [answer] = await caller.run([call], giveUpAtMs);
    if (applyReplyFrom(answer) === "moved") return;
  } else if (kind !== "older" && current !== undefined && current.state !== "closed") {
    // Legacy is gone: what was closed is closed again, as a version of its own.
    const again = { ...followed, version: current.version + 1 };
    const [answer] = await caller.run([calls.restore(view, name, again, true, starts)], giveUpAtMs);
    if (answer === "moved") return;
  }
  contradictions.delete(name);
  regressions.push({ name, followed: followed.version, offered: stored.version, reason });
}

/** The same for all who have followed the same, whatever the store has come to meanwhile. */
function contradictionId({ kind, followed, stored }: Contradiction): string {
  const lost = `lost ${followed.version} ${followed.updatedAt} ${followed.updatedBy}`;
  return kind === "older" ? `${lost} for ${stored.version} ${stored.updatedAt}` : lost;
}
