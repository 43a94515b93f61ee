/**
 * Reading and changing cutovers in Redis.
 *
 * Every write is a compare-and-set in one script: a state that was judged is written over only as long as it is
 * still the one that was judged; if it is not, it is read and judged again, as long as there is time.
 *
 * A change that is answered with StoreUnavailable is not in force later (redis/calls.ts says how).
 *
 * A store that has lost a change the caller has followed (rules/lineage.ts) is lowered to it, by one change called
 * `reconciled` with an id that all who find the same share: made once, also for whoever comes back later.
 */
import { randomUUID } from "node:crypto";
import { StoreUnavailable } from "../../../base/errors.ts";
import { type Call, type Caller, type ChangeUnderWay, deadlineOf } from "../../../redis/calls.ts";
import { monotonicMs } from "../../../redis/client.ts";
import { type HandEditVerdict, judgeHandEdit, type RejectedField, type View } from "../../rules/hand-edit.ts";
import { ceilingOf, type RegressionKind, regressionOf, regressionReason } from "../../rules/lineage.ts";
import type { Applied, CutoverState } from "../../rules/model.ts";
import type { LastGood } from "../../rules/succession.ts";
import { isBelievable } from "../../rules/written.ts";
import type { Command, Regression } from "../port.ts";
import type { Keys } from "./keys.ts";
import { applyReplyFrom, viewFrom } from "./replies.ts";
import type { Scripts } from "./scripts/scripts.ts";

interface Settled {
  readonly view: View;
  readonly state: CutoverState;
  readonly rejected: readonly (RejectedField | "type")[];
  /** Whether the caller's last good state was given back to the store. */
  readonly restored: boolean;
}

interface Cutovers {
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
      args: { followed: lastGood.get(name)?.version },
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
      const verdict = judgeHandEdit(view, good);
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
    if (ceiling !== undefined) {
      const call = applyCall(view, {
        write: contradictionId({ kind, followed, stored }),
        again: true,
        deadline: deadlineOf(view, giveUpAtMs),
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
      const state = { ...followed, version: current.version + 1 };
      const call = {
        script: scripts.restore,
        keys: keys.cutover(name),
        args: { seen: seenIn(view), show: true, state },
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
    verdict: Exclude<HandEditVerdict, { kind: "settled" }>,
    giveUpAtMs: number,
  ): Promise<boolean> {
    const seen = seenIn(view);
    const call =
      verdict.kind === "restore"
        ? { script: scripts.restore, args: { seen, show: verdict.show, state: verdict.state } }
        : {
            script: scripts.adopt,
            args: {
              seen,
              routing: verdict.routing,
              rejected: verdict.rejected,
              write: randomUUID(),
              channel: keys.changes,
              name,
            },
          };
    const [answer] = await caller.run([{ ...call, keys: keys.cutover(name) }], giveUpAtMs);
    return answer !== "moved";
  }

  function applyCall(
    view: View,
    args: {
      readonly write: string;
      readonly again: boolean;
      readonly deadline: number;
      readonly command: Omit<Command, "lastGood" | "id">;
    },
  ): Call {
    const { name } = args.command;
    return {
      script: scripts.apply,
      keys: [...keys.cutover(name), keys.proposal(name)],
      args: { seen: seenIn(view), channel: keys.changes, ...args },
    };
  }

  async function apply(
    { lastGood, id, ...command }: Command,
    change: ChangeUnderWay,
    giveUpAtMs: number,
  ): Promise<Applied> {
    const write = id ?? randomUUID();
    for (;;) {
      const { view } = await settle(command.name, lastGood, giveUpAtMs);
      const deadline = change.deadline(view);
      const answer = await change.once((isRepeated) =>
        applyCall(view, { write, again: isRepeated || id !== undefined, deadline, command }),
      );
      const reply = applyReplyFrom(answer);
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
    apply: (command, giveUpAtMs) => caller.change(giveUpAtMs, (change) => apply(command, change, giveUpAtMs)),
  };
}

/** What was judged, for the script to compare with what is there. */
function seenIn({ visible, accepted }: View) {
  return { visible: visible.digest, accepted: accepted.digest };
}
