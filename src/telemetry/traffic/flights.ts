/**
 * What is under way to a side and waits for it: how many requests are in flight, for how long the longest of each route has
 * waited without a head of its answer, and since when none was answered at all. A hang is seen by this within seconds, when
 * nothing is over yet that could be counted.
 *
 * A request whose answer has begun (a download, a stream of events) is in flight and waits no more; one whose client still
 * sends its body does not wait yet. What nobody answers goes on being unanswered while its clients leave and others come,
 * as long as no more than `pauseMs` lies between them.
 */
import * as z from "zod";
import type { Clock } from "../../base/clock.ts";
import { createCrowd } from "../../base/waiting/crowd.ts";
import type { ExchangeRecord } from "../../proxy/witness.ts";

const age = z.number().min(0);

/** One side's, as of a moment; ages in milliseconds. */
export const flightForm = z
  .object({
    inFlight: z.int().min(0),
    /** Different shoppers among those that wait; who names nobody is one by himself. */
    shoppers: z.int().min(0),
    /** For how long the longest waits of each route that has one. */
    waiting: z.array(z.tuple([z.string(), age])),
    /** For how long some have waited and none was answered; null while nobody waits. */
    silentMs: age.nullable(),
    /** Since the last answer; null: there was none. */
    answeredMs: age.nullable(),
  })
  .readonly();
export type FlightForm = z.output<typeof flightForm>;

export const noFlight: FlightForm = {
  inFlight: 0,
  shoppers: 0,
  waiting: [],
  silentMs: null,
  answeredMs: null,
};

/** Those of one side. */
export interface Flights {
  began(record: ExchangeRecord): void;
  /** The head of its answer is there. */
  answered(record: ExchangeRecord): void;
  /** It is over on this side. */
  ended(record: ExchangeRecord): void;
  form(): FlightForm;
}

const pauseMs = 3000;

export function createFlights({ monotonic }: Pick<Clock, "monotonic">): Flights {
  const waiting = createCrowd<ExchangeRecord>((record, at) => {
    record.waitsAt = at;
  });
  let inFlight = 0;
  let silentSince = 0;
  /** Whether one was lost since then without an answer. */
  let hasLost = false;
  let emptiedAt = Number.NEGATIVE_INFINITY;
  let answeredAt: number | undefined;

  return {
    began(record) {
      inFlight += 1;
      if (waiting.count === 0) {
        const now = monotonic();
        if (!hasLost || now - emptiedAt > pauseMs) {
          silentSince = now;
          hasLost = false;
        }
      }
      waiting.add(record);
    },
    answered(record) {
      if (!waiting.delete(record, record.waitsAt)) return;
      answeredAt = monotonic();
      silentSince = answeredAt;
      hasLost = false;
    },
    ended(record) {
      inFlight -= 1;
      if (!waiting.delete(record, record.waitsAt)) return;
      hasLost = true;
      if (waiting.count === 0) emptiedAt = monotonic();
    },
    form() {
      const now = monotonic();
      const longest = new Map<string, number>();
      const shoppers = new Set<unknown>();
      let oldest: number | undefined;
      for (const record of waiting.all()) {
        const since = record.waitingSince();
        if (since === undefined) continue;
        const ms = Math.max(0, now - since);
        oldest = Math.max(oldest ?? 0, ms);
        longest.set(record.route, Math.max(longest.get(record.route) ?? 0, ms));
        shoppers.add(record.decided?.bucket ?? record);
      }
      const silentMs = hasLost ? now - silentSince : Math.min(now - silentSince, oldest ?? 0);
      return {
        inFlight,
        shoppers: shoppers.size,
        waiting: [...longest].map(([route, ms]): [string, number] => [route, Math.round(ms)]),
        silentMs: oldest === undefined ? null : Math.round(silentMs),
        answeredMs: answeredAt === undefined ? null : Math.round(now - answeredAt),
      };
    },
  };
}

/** What several processes or instances say of one side. */
export function mergeFlights(forms: readonly FlightForm[]): FlightForm {
  const waiting = new Map<string, number>();
  for (const form of forms) {
    for (const [route, ms] of form.waiting) waiting.set(route, Math.max(waiting.get(route) ?? 0, ms));
  }
  const silent = forms.flatMap(({ silentMs }) => silentMs ?? []);
  const answered = forms.flatMap(({ answeredMs }) => answeredMs ?? []);
  const answeredMs = answered.length === 0 ? null : Math.min(...answered);
  // Answered by one is answered by the side.
  const silentMs = silent.length === 0 ? null : Math.min(Math.max(...silent), answeredMs ?? Infinity);
  return {
    inFlight: forms.reduce((sum, form) => sum + form.inFlight, 0),
    shoppers: forms.reduce((sum, form) => sum + form.shoppers, 0),
    waiting: [...waiting],
    silentMs,
    answeredMs,
  };
}

/** As it stands so much later, where nothing was answered meanwhile. */
export function agedFlight(form: FlightForm, ms: number): FlightForm {
  if (ms === 0) return form;
  return {
    ...form,
    waiting: form.waiting.map(([route, waited]): [string, number] => [route, waited + ms]),
    silentMs: form.silentMs === null ? null : form.silentMs + ms,
    answeredMs: form.answeredMs === null ? null : form.answeredMs + ms,
  };
}

/** For how long the longest waits, in milliseconds; null: nobody does. */
export function oldestOf({ waiting }: Pick<FlightForm, "waiting">): number | null {
  return waiting.length === 0 ? null : Math.max(...waiting.map(([, ms]) => ms));
}
