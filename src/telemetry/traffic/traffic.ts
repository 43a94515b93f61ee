/**
 * Rolling figures of each side's traffic over the last minute, for people (`status`, the console); the guard and
 * Prometheus have their own. The window is 12 slots of 5 s by completion time, so it covers the last 55 to 60 s:
 * the slot in progress and the 11 before it. Counting a request is one clock reading and one histogram bucket;
 * a slot is cleared when its turn comes again. Beside it what is not over: flights.ts.
 *
 * What counts as a request and as an error is outcome.ts's; latencies are those of the requests that count.
 * Each instance publishes its figures in a sparse form with its lease (InstanceRecord.traffic); the one that answers
 * `status` merges the forms of all live instances, the sums exactly, the quantiles from the merged histograms. A
 * worker keeps no window: it hands what it has counted to its primary, which adds it to its own as of that moment, and
 * says how its flights stand.
 */
import * as z from "zod";
import type { Clock } from "../../base/clock.ts";
import type { Outcome } from "../../proxy/outcome.ts";
import type { ExchangeRecord } from "../../proxy/witness.ts";
import { type Side, sides } from "../../state/rules/model.ts";
import { begunForm, createBegunCounts } from "./begun.ts";
import {
  createFlights,
  type FlightForm,
  type Flights,
  flightForm,
  mergeFlights,
  noFlight,
} from "./flights.ts";
import { latencyBucket } from "./latency.ts";
import { clear, countRequest, countsForm, formOf, isAnswered, noRequests, sparseOf } from "./side-counts.ts";
import { createStepCounts, stepForm } from "./step.ts";
import { coarse, createUsual, noAnswers, type Usual } from "./usual.ts";
import { createTrafficWindow, trafficWindowSeconds } from "./window.ts";

/** Is told of the requests of one route. */
export interface TrafficRecorder {
  began(side: Side, exchange: ExchangeRecord): void;
  answered(side: Side, exchange: ExchangeRecord): void;
  ended(side: Side, exchange: ExchangeRecord): void;
  /** A request is over. Allocates nothing. @param status of its answer, where there is one */
  record(side: Side, outcome: Outcome, seconds: number, status?: number): void;
  /** A journey has begun. */
  begins(side: Side): void;
}

export interface Traffic {
  /** @throws Error when the cutover is not configured */
  recorder(cutover: string, route: string): TrafficRecorder;
  /** The figures of every configured cutover, as mergeTraffic reads them; JSON. */
  snapshot(): Readonly<Record<string, TrafficForm>>;
  /** How a side's flights stand in all processes of this instance. */
  flight(cutover: string, side: Side): FlightForm;
  /** Figures of these cutovers from now on; one that stays keeps its own. */
  reconfigure(cutovers: readonly string[]): void;
  /** Adds what another process has counted, as of now, and remembers how its flights stand. */
  hear(worker: number, told: HandedFigures): void;
  /** Its process is gone, and what it had in flight. */
  gone(worker: number): void;
}

const sideForm = countsForm.extend({
  flight: flightForm.default(noFlight),
  /** Journeys; a release of before says nothing of them. */
  begun: begunForm.optional(),
  /** Of each route with enough answers in the last hour: the seconds that 99 of 100 took at most. */
  usual: z.array(z.tuple([z.string(), z.number().min(0)])).default([]),
});
export const trafficForm = z
  .object({
    windowSeconds: z.literal(trafficWindowSeconds),
    legacy: sideForm,
    new: sideForm,
    /** Absent before the first is over, and of a release of before. */
    step: stepForm.optional(),
  })
  .readonly();
export type SideForm = z.output<typeof sideForm>;
type TrafficForm = z.output<typeof trafficForm>;

const handedCounts = countsForm.extend({ begun: z.int().min(0).default(0) });
type HandedCounts = z.output<typeof handedCounts>;

/** What a process hands to another. */
export const handedFigures = z.object({
  /** What was counted since the last time: cutover, route, side, and the answers by coarse bucket, sparse as `latency`. */
  counts: z.array(z.tuple([z.string(), z.string(), z.enum(sides), handedCounts, z.array(z.int().min(0))])),
  /** How things stand. */
  flights: z.array(z.tuple([z.string(), z.enum(sides), flightForm])),
});
type HandedFigures = z.output<typeof handedFigures>;

export function createTraffic(options: {
  readonly cutovers: readonly string[];
  readonly clock: Clock;
}): Traffic {
  const { clock } = options;
  const create = (name: string): [string, CutoverTraffic] => [name, createCutoverTraffic(clock)];
  let known = new Map(options.cutovers.map(create));
  const told = new Map<number, HandedFigures["flights"]>();

  function flight(cutover: string, side: Side): FlightForm {
    const own = known.get(cutover)?.flights[side].form();
    const others = [...told.values()].flatMap((flights) =>
      flights.flatMap(([name, of, form]) => (name === cutover && of === side ? form : [])),
    );
    return mergeFlights(own === undefined ? others : [own, ...others]);
  }

  return {
    recorder(cutover, route) {
      const traffic = known.get(cutover);
      if (traffic === undefined) throw new Error(`the cutover ${cutover} is not configured`);
      return traffic.recorder(route);
    },
    snapshot() {
      const forms = [...known].map(([name, { form }]) => [name, form((side) => flight(name, side))] as const);
      return Object.fromEntries(forms);
    },
    flight,
    reconfigure(cutovers) {
      known = new Map(cutovers.map((name) => [name, known.get(name) ?? createCutoverTraffic(clock)]));
    },
    hear(worker, { counts, flights }) {
      for (const [name, route, side, form, answers] of counts)
        known.get(name)?.add(route, side, form, answers);
      told.set(worker, flights);
    },
    gone: (worker) => void told.delete(worker),
  };
}

interface HandedTraffic {
  /** The same one each time it is asked for a name. */
  recorder(cutover: string, route: string): TrafficRecorder;
  /** What was recorded since the last call, and how things stand. */
  take(): HandedFigures;
}

/** The traffic of a process that hands its figures to another. */
export function createHandedTraffic(clock: Pick<Clock, "monotonic">): HandedTraffic {
  const routes = new Map<string, { readonly recorder: TrafficRecorder; take(): HandedFigures["counts"] }>();
  const flights = new Map<string, Record<Side, Flights>>();

  function flightsOf(cutover: string): Record<Side, Flights> {
    const known = flights.get(cutover) ?? { legacy: createFlights(clock), new: createFlights(clock) };
    flights.set(cutover, known);
    return known;
  }

  return {
    recorder(cutover, route) {
      const name = `${cutover}/${route}`;
      const known = routes.get(name) ?? createHandedRoute(cutover, route, flightsOf(cutover));
      routes.set(name, known);
      return known.recorder;
    },
    take: () => ({
      counts: [...routes.values()].flatMap(({ take }) => take()),
      flights: [...flights].flatMap(([cutover, own]) =>
        sides.map((side): HandedFigures["flights"][number] => [cutover, side, own[side].form()]),
      ),
    }),
  };
}

function createHandedRoute(cutover: string, route: string, flights: Record<Side, Flights>) {
  const made = {
    legacy: { ...noRequests(), answers: noAnswers(), begun: 0 },
    new: { ...noRequests(), answers: noAnswers(), begun: 0 },
  };
  const recorder: TrafficRecorder = {
    ...flightRecorder(flights),
    record(side, outcome, seconds, status) {
      const counts = made[side];
      countRequest(counts, outcome, seconds, status);
      if (!isAnswered(outcome)) return;
      const bucket = coarse(latencyBucket(seconds));
      counts.answers[bucket] = (counts.answers[bucket] ?? 0) + 1;
    },
    begins(side) {
      made[side].begun += 1;
    },
  };
  return {
    recorder,
    take: () =>
      sides.flatMap((side): HandedFigures["counts"] => {
        const counts = made[side];
        const { requests, begun } = counts;
        if (requests + begun === 0) return [];
        const form = { ...formOf([counts]), begun };
        const answers = sparseOf(counts.answers);
        clear(counts);
        counts.answers.fill(0);
        counts.begun = 0;
        return [[cutover, route, side, form, answers]];
      }),
  };
}

function flightRecorder(flights: Record<Side, Flights>): Omit<TrafficRecorder, "record" | "begins"> {
  return {
    began: (side, exchange) => flights[side].began(exchange),
    answered: (side, exchange) => flights[side].answered(exchange),
    ended: (side, exchange) => flights[side].ended(exchange),
  };
}

interface CutoverTraffic {
  readonly flights: Record<Side, Flights>;
  recorder(route: string): TrafficRecorder;
  add(route: string, side: Side, form: HandedCounts, answers: readonly number[]): void;
  form(flight: (side: Side) => FlightForm): TrafficForm;
}

function createCutoverTraffic(clock: Clock): CutoverTraffic {
  const window = createTrafficWindow(clock);
  const begun = createBegunCounts(clock);
  const step = createStepCounts(clock);
  const flights = { legacy: createFlights(clock), new: createFlights(clock) };
  const routes = new Map<string, Record<Side, Usual>>();

  function usualOf(route: string): Record<Side, Usual> {
    const known = routes.get(route) ?? { legacy: createUsual(clock), new: createUsual(clock) };
    routes.set(route, known);
    return known;
  }

  function sideFormOf(side: Side, flight: FlightForm): SideForm {
    const usual = [...routes].flatMap(([route, of]): [string, number][] => {
      const seconds = of[side].p99();
      return seconds === null ? [] : [[route, seconds]];
    });
    return { ...window.form(side), flight, begun: begun.form(side), usual };
  }

  return {
    flights,
    recorder(route) {
      const usual = usualOf(route);
      return {
        ...flightRecorder(flights),
        record(side, outcome, seconds, status) {
          const nowMs = clock.monotonic();
          window.record(nowMs, side, outcome, seconds, status);
          step.record(nowMs, side, outcome, seconds, status);
          if (isAnswered(outcome)) usual[side].add(nowMs, coarse(latencyBucket(seconds)), 1);
        },
        begins: (side) => begun.add(clock.monotonic(), side, 1),
      };
    },
    add(route, side, form, answers) {
      const nowMs = clock.monotonic();
      window.add(nowMs, side, form);
      step.add(nowMs, side, form);
      begun.add(nowMs, side, form.begun);
      const usual = usualOf(route)[side];
      for (let i = 0; i < answers.length; i += 2) usual.add(nowMs, answers[i] ?? 0, answers[i + 1] ?? 0);
    },
    form: (flight) => ({
      windowSeconds: trafficWindowSeconds,
      legacy: sideFormOf("legacy", flight("legacy")),
      new: sideFormOf("new", flight("new")),
      step: step.last(),
    }),
  };
}
