/**
 * What an instance says about following the store. Each thing is said when it begins and when it ends, not once per
 * poll: a store out of reach, a content written by hand that is refused, a store that went back in versions.
 */
import { storeWordOf } from "../../base/errors.ts";
import { errorText, type Log } from "../../base/log.ts";
import { sameState } from "../rules/lineage.ts";
import type { CutoverState } from "../rules/model.ts";
import { percentToNumber } from "../rules/percent.ts";
import type { Loaded, Regression, Rejection } from "../store/port.ts";

export interface FollowReport {
  swapped(name: string, from: CutoverState, to: CutoverState): void;
  /** What one load has found beside the states, all of it. */
  found(loaded: Omit<Loaded, "states">): void;
  steppedBack(name: string, kept: number, offered: number): void;
  lost(error: unknown): void;
  back(awayMs: number): void;
  startedWithoutStore(withoutLastGood: readonly string[]): void;
  listed(): void;
  notListed(error: unknown): void;
  listenerFailed(error: unknown): void;
  notWithdrawn(error: unknown): void;
}

interface FollowReportOptions {
  readonly log: Log;
  /** Once for each content written by hand that is refused. */
  readonly onRejected: (name: string) => void;
  /** Once for each change that the store had lost. */
  readonly onRegressed: (name: string) => void;
}

export function createFollowReport(options: FollowReportOptions): FollowReport {
  const { log, onRejected, onRegressed } = options;
  let isUp = false;
  /** Why the record could not be written: the store's word, or nothing said. */
  let unlisted: string | undefined;
  const steps = new Map<string, string>();
  const rejected = createRejected(log, onRejected);

  function regressed({ name, followed, offered, reason }: Regression): void {
    log.error({ cutover: name, followed, offered, reason }, "the store has lost an accepted change");
    onRegressed(name);
  }

  return {
    swapped(name, from, to) {
      if (sameState(from, to)) return;
      log.info(
        { cutover: name, from: place(from), to: place(to), version: to.version, by: to.updatedBy },
        "state followed",
      );
    },
    found({ rejections, restored, regressions = [] }) {
      isUp = true;
      for (const name of restored) {
        log.warn({ cutover: name }, "the store had lost the cutover: given back from the last good state");
      }
      for (const regression of regressions) regressed(regression);
      rejected(rejections);
    },
    steppedBack(name, kept, offered) {
      const step = `${kept}>${offered}`;
      if (steps.get(name) === step) return;
      steps.set(name, step);
      log.error({ cutover: name, kept, offered }, "the store offered an older version: not followed");
    },
    lost(error) {
      isUp = false;
      const word = storeWordOf(error);
      if (word === undefined) {
        log.warn({ error: errorText(error) }, "store out of reach: the last good state stays in force");
      } else log.warn({ word }, "the store answers and refuses: the last good state stays in force");
    },
    back(awayMs) {
      log.info({ awayMs: Math.round(awayMs) }, "store back");
    },
    startedWithoutStore(withoutLastGood) {
      if (withoutLastGood.length === 0) {
        log.warn({}, "started without the store, by the last good state");
      } else {
        log.error(
          { cutovers: withoutLastGood },
          "started without the store or a last good state: at percent 0",
        );
      }
    },
    listed() {
      if (unlisted !== undefined) log.info({}, "instance record written again");
      unlisted = undefined;
    },
    notListed(error) {
      // A lost store is said once, by the reading side.
      if (!isUp) return;
      const word = storeWordOf(error);
      if (unlisted === (word ?? "")) return;
      if (word === undefined) log.warn({ error: errorText(error) }, "instance record could not be written");
      else log.error({ word }, "the store refuses to be written: no change and no owner can be recorded");
      unlisted = word ?? "";
    },
    listenerFailed(error) {
      log.error({ error: errorText(error) }, "a listener to state changes failed");
    },
    notWithdrawn(error) {
      log.warn({ error: errorText(error) }, "instance record could not be withdrawn: it ends by itself");
    },
  };
}

function place(state: CutoverState): { readonly percent: number; readonly state: string } {
  return { percent: percentToNumber(state.percentThousandths), state: state.state };
}

/** Says each content that was written by hand and is refused once, for as long as it stands there. */
function createRejected(log: Log, onRejected: (name: string) => void): (found: readonly Rejection[]) => void {
  let refused: ReadonlySet<string> = new Set();
  return (found) => {
    const still = new Set<string>();
    for (const { name, fields, fingerprint } of found) {
      const key = JSON.stringify([name, fingerprint]);
      if (!refused.has(key) && !still.has(key)) {
        log.warn(
          { cutover: name, fields },
          "written by hand and not valid: refused, the last good state stays in force",
        );
        onRejected(name);
      }
      still.add(key);
    }
    refused = still;
  };
}
