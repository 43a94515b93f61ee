/**
 * Makes the steps of one cutover's gradual return, on the instance that leads it: the loop around return.ts. Every instance
 * knows what is returning: it reads the record after each change of the cutover, and while one runs every few seconds. Who
 * leads reads it again and again: it may be written down some time after the change that begins it.
 */
import type { Clock } from "../../base/clock.ts";
import { StoreUnavailable } from "../../base/errors.ts";
import { errorText, type Log } from "../../base/log.ts";
import type { Leadership } from "../../state/leading/leadership.ts";
import type { Fence } from "../../state/rules/leases/lease.ts";
import type { CutoverState } from "../../state/rules/model.ts";
import type { Store } from "../../state/store/port.ts";
import {
  isReturning,
  nextOfReturn,
  type ReturnRecord,
  readReturn,
  reasonOfReturn,
  stepMsOf,
} from "./return.ts";

interface ReturnerOptions {
  /** The cutover's. */
  readonly name: string;
  readonly store: Pick<Store, "note" | "writeNote" | "apply">;
  readonly leadership: () => Pick<Leadership, "fence" | "refused"> | undefined;
  /** As it is in force here. */
  readonly state: () => CutoverState;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Returner {
  /** What is returning, as far as is known here; `undefined`: nothing. */
  known(): ReturnRecord | undefined;
  /** Reads what the store has of it now. @throws StoreUnavailable */
  read(): Promise<{ readonly revision: number; readonly record: ReturnRecord | undefined }>;
  /** In place of the one that was read. @returns false: another one was faster. @throws StoreUnavailable */
  write(record: ReturnRecord, ifRevision: number): Promise<boolean>;
  /** Once a second or more often. Never rejects. */
  look(): Promise<void>;
}

const readEachMs = 5000;
/** Of the one who leads: whoever lowers writes the return down once everybody has applied the first step, and not with it. */
const leaderReadsEachMs = 1500;

/** What this process knows beyond the record. */
interface Read {
  readonly revision: number;
  readonly record: ReturnRecord | undefined;
  readonly version: number;
  readonly atMs: number;
}

export function createReturner(options: ReturnerOptions): Returner {
  const { name, store, clock, log, leadership } = options;
  let last: Read | undefined;
  /** Of the grant and the return for which this instance makes the steps: when the last one was. */
  let making: { readonly of: string; sinceMs: number } | undefined;

  async function read(): Promise<Read> {
    const { version } = options.state();
    const { revision, text } = await store.note(name, "return");
    last = { revision, record: readReturn(text), version, atMs: clock.monotonic() };
    return last;
  }

  async function write(record: ReturnRecord, ifRevision: number, fence?: Fence): Promise<boolean> {
    const writing = { text: JSON.stringify(record), ifRevision, ...(fence === undefined ? {} : { fence }) };
    const outcome = await store.writeNote(name, "return", writing);
    if (outcome === "fenced" && fence !== undefined) leadership()?.refused(fence);
    const known = { revision: ifRevision + 1, record, version: record.version, atMs: clock.monotonic() };
    last = outcome === "written" ? known : undefined;
    return outcome === "written";
  }

  function isFresh(known: Read | undefined): known is Read {
    if (known === undefined || known.version < options.state().version) return false;
    const ageMs = clock.monotonic() - known.atMs;
    if (known.record?.status === "running") return ageMs < readEachMs;
    return leadership()?.fence() === undefined || ageMs < leaderReadsEachMs;
  }

  async function step(fence: Fence, { revision, record }: Read): Promise<void> {
    if (record?.status !== "running") return;
    const of = `${fence.token} ${record.id}`;
    // Who takes over waits for a whole step: the one before may have made one just now.
    if (making?.of !== of) making = { of, sinceMs: clock.monotonic() };
    const isDue = clock.monotonic() - making.sinceMs >= stepMsOf(record);
    const next = nextOfReturn(record, options.state(), isDue);
    if (next.kind === "rest") return;
    let { version } = options.state();
    if (next.kind !== "became") {
      making.sinceMs = clock.monotonic();
      const made = await make(next, record, fence);
      if (made === undefined) return;
      version = made;
    }
    const isWritten = await write({ ...next.record, version }, revision, fence);
    if (!isWritten || next.record.status === "running") return;
    const { status, because, kind } = next.record;
    log.info({ cutover: name, status, because }, `the gradual ${kind} is over`);
  }

  /** @returns the cutover's version then; `undefined`: it was refused */
  async function make(
    next: Extract<ReturnType<typeof nextOfReturn>, { kind: "step" | "rollback" }>,
    record: ReturnRecord,
    fence: Fence,
  ): Promise<number | undefined> {
    // The person asked for all of it at the beginning; who may lower may roll back.
    const actor = { name: record.by, role: "responder" } as const;
    const asked = { name, actor, reason: reasonOfReturn(record), fence, origin: { via: "return" } as const };
    const changes =
      next.kind === "rollback"
        ? [{ action: "rollback" } as const]
        : next.lower.map(({ to, ...whose }) => {
            return { action: "set", percentThousandths: to, ...whose } as const;
          });
    let { version: ifVersion } = options.state();
    for (const change of changes) {
      const applied = await store.apply({ ...asked, change, ifVersion });
      if (!applied.accepted) {
        log.info({ cutover: name, code: applied.code }, "a step of the return was refused");
        if (applied.code === "fenced") leadership()?.refused(fence);
        return undefined;
      }
      ifVersion = applied.state.version;
    }
    return ifVersion;
  }

  return {
    known() {
      const record = last?.record;
      return record !== undefined && isReturning(record, options.state()) ? record : undefined;
    },
    read,
    write: (record, ifRevision) => write(record, ifRevision),
    async look() {
      try {
        const known = isFresh(last) ? last : await read();
        const fence = leadership()?.fence();
        if (fence !== undefined) await step(fence, known);
      } catch (error) {
        // What was sent may have been made: the store says at the next look.
        last = undefined;
        // The follower says that the store is away.
        if (error instanceof StoreUnavailable) return;
        log.warn({ cutover: name, error: errorText(error) }, "the return could not be looked at");
      }
    },
  };
}
