/**
 * Reading and changing cutovers in Redis.
 *
 * Every write is a compare-and-set in one script: a state that was judged is written over only as long as it is
 * still the one that was judged; if it is not, it is read and judged again, as long as there is time.
 *
 * A change that is answered with StoreUnavailable is not in force later. It carries a deadline in the server's time,
 * after which the script refuses it, and the caller is kept waiting until that moment has passed for certain. The
 * deadline counts from the server's time in a reply of the same call, and a reply is always older than now; so it
 * comes early, never late. It also comes `answerMs` before the caller gives up, which leaves time to ask for the
 * outcome of a write that was sent and not answered: it is sent again under its own id, and the script knows it.
 * (Only a server whose clock is set back while a write is under way could let it in late.)
 *
 * A store that has lost a change the caller has followed (regression.ts) is lowered to it, by one change called
 * `reconciled` with an id that all who find the same share: made once, also for whoever comes back later.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { StoreUnavailable } from "../../../base/unavailable.ts";
import type { Attempts, Caller } from "../../../redis/calls.ts";
import { monotonicMs } from "../../../redis/client.ts";
import type { RejectedField } from "../../rules/by-hand.ts";
import { judge, type Verdict, type View } from "../../rules/hand-edit.ts";
import { ceilingOf, type RegressionKind, regressionOf, regressionReason } from "../../rules/lineage.ts";
import type { CutoverState } from "../../rules/model.ts";
import type { Applied, Command, LastGood, Regression } from "../port.ts";
import { isBelievable } from "../written.ts";
import type { Keys } from "./keys.ts";
import { applyReplyFrom, valuesOf, viewFrom } from "./replies.ts";
import type { Scripts } from "./scripts/scripts.ts";

export interface Settled {
  readonly view: View;
  readonly state: CutoverState;
  readonly rejected: readonly (RejectedField | "type")[];
  /** Whether the caller's last good state was given back to the store. */
  readonly restored: boolean;
}

export interface Cutovers {
  /** What stands in the store for each, in one go, and how it came after what the caller has followed. */
  read(names: readonly string[], lastGood: LastGood, giveUpAtMs: number): Promise<readonly View[]>;
  /** Restores and adopts until there is nothing left to do about the cutover; `first`: what was read already. */
  settle(
    name: string,
    lastGood: CutoverState | undefined,
    giveUpAtMs: number,
    first?: View,
  ): Promise<Settled>;
  apply(command: Command, giveUpAtMs: number): Promise<Applied>;
  /** What was lost and settled since this was last asked. */
  takeRegressions(): readonly Regression[];
}

interface Contradiction {
  readonly kind: RegressionKind;
  readonly followed: CutoverState;
  readonly stored: CutoverState;
}

/** The same for all who have followed the same, whatever the store has come to meanwhile. */
function contradictionId({ kind, followed, stored }: Contradiction): string {
  const lost = `lost ${followed.version} ${followed.updatedAt} ${followed.updatedBy}`;
  return kind === "older" ? `${lost} for ${stored.version} ${stored.updatedAt}` : lost;
}

/** Time kept back from a change's deadline to learn its outcome. */
export const answerMs = 400;

export function createCutovers(caller: Caller, scripts: Scripts, keys: Keys): Cutovers {
  /** Found and not yet settled, by cutover: what contradicts the store is gone once the state is given back. */
  const found = new Map<string, Contradiction>();
  let settledRegressions: readonly Regression[] = [];

  async function read(
    names: readonly string[],
    lastGood: LastGood,
    giveUpAtMs: number,
  ): Promise<readonly View[]> {
    const calls = names.map((name) => ({
      script: scripts.read,
      keys: keys.cutover(name),
      args: [lastGood.get(name)?.version ?? ""],
    }));
    const replies = await caller.run(calls, giveUpAtMs);
    const receivedAtMs = monotonicMs();
    return replies.map((reply) => viewFrom(reply, receivedAtMs));
  }

  async function settle(
    name: string,
    lastGood: CutoverState | undefined,
    giveUpAtMs: number,
    first?: View,
  ): Promise<Settled> {
    const good = lastGood !== undefined && isBelievable(lastGood) ? lastGood : undefined;
    let restored = false;
    let isLookedFor = good !== undefined;
    let view = first ?? (await readOne(name, good, giveUpAtMs));
    for (;;) {
      const stored = view.accepted.state;
      if (isLookedFor && good !== undefined && stored !== undefined) {
        const kind = regressionOf(good, stored, view.lineage);
        if (kind !== undefined) found.set(name, { kind, followed: good, stored });
        isLookedFor = false;
      }
      const verdict = judge(view, good);
      const contradiction = found.get(name);
      if (verdict.kind === "settled" && contradiction === undefined)
        return { view, state: verdict.state, rejected: verdict.rejected, restored };
      if (monotonicMs() >= giveUpAtMs) throw new StoreUnavailable("the store changes faster than it is read");
      if (verdict.kind !== "settled") {
        const done = await carryOut(name, view, verdict, giveUpAtMs);
        if (done && verdict.kind === "restore" && verdict.given) restored = true;
      } else if (contradiction !== undefined) {
        await reconcile(name, view, contradiction, giveUpAtMs);
      }
      view = await readOne(name, good, giveUpAtMs);
    }
  }

  /** Lowers the store to what it has lost, or what was lost to what it has. Unless somebody else was faster. */
  async function reconcile(
    name: string,
    view: View,
    { kind, followed, stored }: Contradiction,
    giveUpAtMs: number,
  ): Promise<void> {
    const current = view.accepted.state;
    const ceiling = ceilingOf(kind === "older" ? [followed, stored] : [followed]);
    const reason = regressionReason(kind, followed, stored);
    const seen = [view.visible.digest, view.accepted.digest];
    if (ceiling !== undefined) {
      const [answer] = await caller.run(
        [
          {
            script: scripts.apply,
            keys: [...keys.cutover(name), keys.proposal(name)],
            args: [
              ...seen,
              Math.floor(view.serverMs + (giveUpAtMs - view.receivedAtMs)),
              contradictionId({ kind, followed, stored }),
              "1",
              "reconciled",
              ceiling.percentThousandths,
              "store check",
              "responder",
              reason,
              "",
              keys.changes,
              name,
              ceiling.state,
              ceiling.pinEpoch,
              "",
              "",
              "reconciled",
              "",
            ],
          },
        ],
        giveUpAtMs,
      );
      const reply = applyReplyFrom(answer);
      if (reply === "late") throw new StoreUnavailable("Redis did not answer in time");
      if (reply === "moved") return;
    } else if (kind !== "older" && current !== undefined && current.state !== "closed") {
      // Legacy is gone: what was closed is closed again, as a version of its own.
      const again = { ...followed, version: current.version + 1 };
      const call = {
        script: scripts.restore,
        keys: keys.cutover(name),
        args: [...seen, "1", ...valuesOf(again)],
      };
      const [answer] = await caller.run([call], giveUpAtMs);
      if (answer === "moved") return;
    }
    found.delete(name);
    const regression = { name, followed: followed.version, offered: stored.version, reason };
    settledRegressions = [...settledRegressions, regression];
  }

  async function readOne(name: string, good: CutoverState | undefined, giveUpAtMs: number): Promise<View> {
    const [view] = await read([name], new Map(good === undefined ? [] : [[name, good]]), giveUpAtMs);
    if (view === undefined) throw new StoreUnavailable("Redis gave no answer");
    return view;
  }

  /** @returns false when somebody else was faster */
  async function carryOut(
    name: string,
    view: View,
    verdict: Exclude<Verdict, { kind: "settled" }>,
    giveUpAtMs: number,
  ): Promise<boolean> {
    const seen = [view.visible.digest, view.accepted.digest];
    const call =
      verdict.kind === "restore"
        ? {
            script: scripts.restore,
            args: [...seen, verdict.show ? "1" : "0", ...(verdict.state ? valuesOf(verdict.state) : [])],
          }
        : {
            script: scripts.adopt,
            args: [
              ...seen,
              verdict.routing.percentThousandths,
              verdict.routing.state,
              verdict.routing.pinEpoch,
              randomUUID(),
              keys.changes,
              name,
              verdict.rejected.join(","),
            ],
          };
    const [answer] = await caller.run([{ ...call, keys: keys.cutover(name) }], giveUpAtMs);
    return answer !== "moved";
  }

  async function tryToApply(command: Command, attempts: Attempts, giveUpAtMs: number): Promise<Applied> {
    const { name, change, actor, reason, origin, ifVersion, lastGood, fourEyes } = command;
    const write = command.id ?? randomUUID();
    for (;;) {
      const { view } = await settle(name, lastGood, giveUpAtMs);
      const deadline = Math.floor(view.serverMs + (giveUpAtMs - answerMs - view.receivedAtMs));
      const ceiling = change.action === "reconciled" ? change.ceiling : undefined;
      const percent = change.action === "set" ? change.percentThousandths : ceiling?.percentThousandths;
      const reply = applyReplyFrom(
        await caller.runOnce(
          (again) => ({
            script: scripts.apply,
            keys: [...keys.cutover(name), keys.proposal(name)],
            args: [
              view.visible.digest,
              view.accepted.digest,
              deadline,
              write,
              again || command.id !== undefined ? "1" : "0",
              change.action,
              percent ?? "",
              actor.name,
              actor.role,
              reason,
              ifVersion ?? "",
              keys.changes,
              name,
              ceiling?.state ?? "",
              ceiling?.pinEpoch ?? "",
              fourEyes?.overThousandths ?? "",
              fourEyes?.proposalId ?? "",
              origin?.via ?? "",
              origin?.requestId ?? "",
            ],
          }),
          attempts,
          giveUpAtMs,
        ),
      );
      if (reply === "late") throw new StoreUnavailable("Redis did not answer in time");
      if (reply !== "moved") return reply;
    }
  }

  return {
    read,
    settle,
    takeRegressions() {
      const taken = settledRegressions;
      settledRegressions = [];
      return taken;
    },
    async apply(command, giveUpAtMs) {
      const attempts: Attempts = { unanswered: false };
      try {
        return await tryToApply(command, attempts, giveUpAtMs);
      } catch (error) {
        // An unanswered write may still land until its deadline: the failure is not told before.
        if (attempts.unanswered) await sleep(Math.max(0, giveUpAtMs - monotonicMs()));
        throw error;
      }
    },
  };
}
