/**
 * What this process sees of requests with a key, noted in memory and handed to the store once a second, off the request's
 * path (port.ts). A store out of reach gets the notes when it is back; where there are more than can be kept meanwhile,
 * those of keys noted first are lost, and counted; what is in doubt has room of its own.
 *
 * With a folder (kept/) a killed process loses nothing of what is in doubt: a request that may change something is written
 * down on this host before it is sent, and notes that the store does not take are. The next process hands them in.
 */
import type { Clock, Timers } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import { createCrowd } from "../../base/waiting/crowd.ts";
import type { Side } from "../../state/rules/model.ts";
import type { KeyCarrier, OwnerKey } from "../port.ts";
import { perStore } from "../stores/per-store.ts";
import type { NamedKey } from "../stores/port.ts";
import { createHandOver } from "./hand-over.ts";
import { createAdoption, type Kept } from "./kept/kept.ts";
import type { SentEntry, SentPlace } from "./kept/sent-file.ts";
import { createPages, type NotedDoubt } from "./pages.ts";
import {
  type DoubtOutcome,
  keyDigest,
  mostOthers,
  type PastDecision,
  type PastNotes,
  type PastStore,
} from "./port.ts";

/** A request with a key as it was sent, or that has made one. */
export interface SentRequest {
  readonly cutover: string;
  readonly route: string;
  /** Whether it changes nothing, by its method: then it is never in doubt, and settles none. */
  readonly isSafe: boolean;
  /** Those it carries. */
  readonly keys: readonly OwnerKey[];
  readonly side: Side;
  readonly reason: string;
  /** The cutover's, by which it was decided. */
  readonly version: number;
  /** Since the epoch. */
  readonly sentAtMs: number;
}

/**
 * How it ended: its side has answered it, or has said no more than that it will not just now; nobody knows what it did; or
 * nothing of it was sent.
 */
export type PastEnd = "answered" | "put off" | "unsent" | Exclude<DoubtOutcome, "instance_gone">;

/** No method of it throws. */
export interface PastBook {
  /**
   * It is about to be sent; again, where it fell back.
   *
   * @param request itself: by which its end is told
   * @returns resolves when it may be, in a bounded time, and never rejects; `undefined`: at once
   */
  sent(request: KeyCarrier, sent: SentRequest): Promise<void> | undefined;
  /** @param sent counts where it is not awaited @param made the keys that its answer has made */
  ended(request: KeyCarrier, sent: SentRequest, end: PastEnd, made: readonly OwnerKey[]): void;
  /** Hands over what is noted. Never rejects. */
  flush(): Promise<void>;
  /** Hands over what is noted and ends. Never rejects. */
  close(): Promise<void>;
}

/** Those of a process. */
export interface PastBooks extends PastBook {
  /** Takes over what processes left that are gone; from then on again and again. Never rejects. */
  start(): Promise<void>;
}

interface BookOptions {
  readonly store: Pick<PastStore, "note">;
  /** Whether somebody owns the key, as far as this process knows: of those alone a record is kept. */
  readonly isOwned: (cutover: string, key: NamedKey) => boolean;
  readonly clock: Pick<Clock, "now">;
  readonly timers: Timers;
  /** Hears of notes that were lost. */
  readonly onLost: (notes: number) => void;
  /** Where it is written down for the next process; without it, it is lost with this one. */
  readonly kept?: Kept | undefined;
  /** Hears of what was taken over, or why that could not be looked for. */
  readonly log?: Pick<Log, "info" | "warn"> | undefined;
  /** Most keys noted while the store is out of reach, and most requests in doubt; 50,000 without it. */
  readonly most?: number;
}

const everyMs = 1000;
/** A request that is under way for so long is noted while it waits. */
const waitsMs = 1000;
/** It is noted anew each time so much has passed, and counts as in doubt when that has not been done for `leaseMs`. */
const renewMs = 2000;
const leaseMs = 6000;

interface Waiting {
  readonly request: KeyCarrier;
  sent: SentRequest;
  /** Where it is written down. */
  place: SentPlace | undefined;
  /** When it was last noted, if it was. */
  notedAtMs: number | undefined;
}

/** @param placeOf which store the cutover's are in; without it there is one */
export function createPastBooks(options: BookOptions, placeOf?: (cutover: string) => unknown): PastBooks {
  const { kept } = options;
  const { of, flush, close } = perStore(() => createPastBook(options), placeOf);
  const adoption = createAdoption({ ...options, inherit: (cutover, notes) => of(cutover).inherit(notes) });
  return {
    sent: (request, sent) => of(sent.cutover).sent(request, sent),
    ended: (request, sent, ...rest) => of(sent.cutover).ended(request, sent, ...rest),
    start: adoption.start,
    flush,
    async close() {
      adoption.stop();
      await close();
      await kept?.close();
    },
  };
}

interface InheritingBook extends PastBook {
  /** Hands in what another process has left. @throws the file system's error: then it is not kept here */
  inherit(notes: PastNotes): Promise<void>;
}

function createPastBook(options: BookOptions): InheritingBook {
  const { store, isOwned, clock, timers, onLost, kept, most = 50_000 } = options;
  const waiting = createCrowd<Waiting>(({ request }, at) => {
    request.pastAt = at;
  });
  const pages = createPages(most, onLost);
  const handing = createHandOver({ store, pages, kept, onLost, most });
  let flushing: Promise<void> | undefined;
  let cancel: (() => void) | undefined;
  let closed = false;

  function waitingOf(request: KeyCarrier): Waiting | undefined {
    const found = waiting.at(request.pastAt);
    return found?.request === request ? found : undefined;
  }

  function schedule(): void {
    if (!closed) cancel ??= timers.after(everyMs, () => void flush());
  }

  function noteKeys(sent: SentRequest, isAnswered: boolean, made: readonly OwnerKey[]) {
    const { cutover, side, reason, version, route, isSafe, sentAtMs } = sent;
    const decision: PastDecision = { atMs: sentAtMs, side, reason, version, route };
    const answeredAtMs = isAnswered && !isSafe ? clock.now() : undefined;
    for (const key of made.length === 0 ? sent.keys : [...sent.keys, ...made]) {
      const ttlMs = isOwned(cutover, key) ? key.ttlMs : 0;
      pages.seen({ cutover, key: key.key, ttlMs, decision, answeredAtMs });
    }
  }

  /** Each second: what takes long may be lost with its process, so it is noted while it waits. */
  function noteWaiting(): void {
    const nowMs = clock.now();
    for (const each of waiting.all()) {
      const { sent, notedAtMs } = each;
      if (sent.isSafe || nowMs - sent.sentAtMs < waitsMs) continue;
      if (notedAtMs !== undefined && nowMs - notedAtMs < renewMs) continue;
      each.notedAtMs = nowMs;
      pages.doubt(doubtOf(sent, nowMs + leaseMs, "instance_gone"));
    }
  }

  function flush(): Promise<void> {
    cancel?.();
    cancel = undefined;
    noteWaiting();
    flushing ??= handing.handOver().finally(() => {
      flushing = undefined;
      if (handing.count() > 0 || waiting.count > 0) schedule();
    });
    return flushing;
  }

  return {
    sent(request, sent) {
      const before = waitingOf(request);
      before?.place?.giveBack();
      const place = sent.isSafe ? undefined : kept?.sent.take(entryOf(sent));
      if (before === undefined) waiting.add({ request, sent, place, notedAtMs: undefined });
      else Object.assign(before, { sent, place, notedAtMs: undefined });
      schedule();
      return place?.written;
    },
    ended(request, told, end, made) {
      const before = waitingOf(request);
      if (before !== undefined) waiting.delete(before, request.pastAt ?? -1);
      const { sent = told, notedAtMs, place } = before ?? {};
      const isDoubtful = end !== "answered" && end !== "put off" && end !== "unsent";
      if (end !== "unsent") noteKeys(sent, end === "answered", made);
      if (isDoubtful && !sent.isSafe) {
        pages.doubt(doubtOf(sent, clock.now(), end));
        if (place !== undefined) handing.untilThen(place);
      } else {
        place?.giveBack();
        if (notedAtMs !== undefined) pages.doubt(doubtOf(sent, 0, null));
      }
      if (handing.count() > 0) schedule();
    },
    inherit(notes) {
      const kept = handing.inherit(notes);
      schedule();
      return kept;
    },
    flush,
    async close() {
      closed = true;
      await flushing;
      if (handing.count() > 0) await flush();
      cancel?.();
    },
  };
}

function entryOf({ cutover, side, route, keys, sentAtMs }: SentRequest): SentEntry {
  const [digest = "", ...others] = new Set(keys.map(({ key }) => keyDigest(key)));
  return { cutover, side, route, sentAtMs, digest, others };
}

function doubtOf(
  { cutover, side, route, keys, sentAtMs }: SentRequest,
  sinceMs: number,
  outcome: NotedDoubt["outcome"],
): NotedDoubt {
  const names = [...new Set(keys.map(({ key }) => key))].slice(0, mostOthers + 1);
  return { cutover, side, route, keys: names, sentAtMs, sinceMs, outcome };
}
