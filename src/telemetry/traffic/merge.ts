/** What all instances say of a cutover's traffic, as one: the figures that people read, and what these warn of. */
import { type Side, sides } from "../../state/rules/model.ts";
import { begunWindowSeconds } from "./begun.ts";
import { agedFlight, type FlightForm, mergeFlights, oldestOf } from "./flights.ts";
import { latencyBuckets, latencyQuantile } from "./latency.ts";
import { addForm, type StatusClass, statusClasses } from "./side-counts.ts";
import { type SideForm, trafficForm } from "./traffic.ts";
import { type SideWarning, sideWarnings } from "./warnings.ts";
import { trafficWindowSeconds } from "./window.ts";

/** The figures of one side; rate, quantiles (seconds) and shares are `null` without a request. */
interface SideTraffic {
  readonly requests: number;
  readonly errors: number;
  readonly errorRate: number | null;
  readonly p50: number | null;
  readonly p99: number | null;
  /** Answers from 400 to 499. */
  readonly clientErrors: number;
  /** Of the requests, 0–1; what is missing of 1 was not answered by the side. */
  readonly shares: Readonly<Record<StatusClass, number>> | null;
  readonly inFlight: number;
  /** The longest wait for the head of an answer; null: nobody waits. */
  readonly oldestInFlightSeconds: number | null;
}

/** Journeys that have begun: within the window, and within the last 5 to 10 s. */
interface MergedJourneys {
  readonly windowSeconds: number;
  readonly legacy: number;
  readonly new: number;
  readonly newLately: number;
}

interface MergedTraffic {
  readonly windowSeconds: number;
  /** Absent where none is known to have begun since the start. */
  readonly begun?: MergedJourneys;
  readonly legacy: SideTraffic;
  readonly new: SideTraffic;
}

/**
 * Merges what several instances said of one cutover. A form that does not validate (of another version of the
 * program, or absent) is left out.
 *
 * @param agesMs how old each form is, none without it: what waits has gone on waiting since
 */
export function mergeTraffic(
  forms: readonly unknown[],
  agesMs: readonly number[] = [],
): {
  readonly figures: MergedTraffic;
  readonly warnings: readonly SideWarning[];
} {
  const valid = forms.flatMap((form, index) => {
    const parsed = trafficForm.safeParse(form);
    return parsed.success ? [{ form: parsed.data, ageMs: agesMs[index] ?? 0 }] : [];
  });
  const side = (name: Side) =>
    mergeSide(
      valid.map(({ form, ageMs }) => ({ ...form[name], flight: agedFlight(form[name].flight, ageMs) })),
    );
  const merged = { legacy: side("legacy"), new: side("new") };
  const [legacy, onNew] = sides.map((name) => figuresOf(merged[name]));
  if (legacy === undefined || onNew === undefined) throw new Error("a cutover has two sides");
  return {
    figures: { windowSeconds: trafficWindowSeconds, legacy, new: onNew, ...begunIn(valid) },
    warnings: sideWarnings(merged),
  };
}

function begunIn(
  told: readonly { readonly form: Readonly<Record<Side, SideForm>> }[],
): Pick<MergedTraffic, "begun"> {
  if (told.every(({ form }) => form.legacy.begun === undefined)) return {};
  const sum = (of: (form: Readonly<Record<Side, SideForm>>) => number | undefined) =>
    told.reduce((all, { form }) => all + (of(form) ?? 0), 0);
  const [legacy, onNew] = [sum((form) => form.legacy.begun?.all), sum((form) => form.new.begun?.all)];
  const newLately = sum((form) => form.new.begun?.lately);
  return { begun: { windowSeconds: begunWindowSeconds, legacy, new: onNew, newLately } };
}

interface MergedSide {
  readonly latencies: Float64Array;
  readonly statuses: Float64Array;
  readonly requests: number;
  readonly errors: number;
  readonly clientErrors: number;
  readonly flight: FlightForm;
  readonly usual: ReadonlyMap<string, number>;
}

function mergeSide(forms: readonly SideForm[]): MergedSide {
  const counts = {
    latencies: new Float64Array(latencyBuckets),
    statuses: new Float64Array(statusClasses.length),
    requests: 0,
    errors: 0,
  };
  const usual = new Map<string, number>();
  for (const form of forms) {
    addForm(counts, form);
    // Each instance has seen a part: the slowest of them is no alarm.
    for (const [route, seconds] of form.usual) usual.set(route, Math.max(usual.get(route) ?? 0, seconds));
  }
  const clientErrors = counts.statuses[statusClasses.indexOf("4xx")] ?? 0;
  return { ...counts, clientErrors, flight: mergeFlights(forms.map(({ flight }) => flight)), usual };
}

function figuresOf({ latencies, statuses, requests, errors, clientErrors, flight }: MergedSide): SideTraffic {
  const share = (name: StatusClass) => (statuses[statusClasses.indexOf(name)] ?? 0) / requests;
  const oldest = oldestOf(flight);
  return {
    requests,
    errors,
    errorRate: requests === 0 ? null : errors / requests,
    p50: latencyQuantile(latencies, 0.5),
    p99: latencyQuantile(latencies, 0.99),
    clientErrors,
    shares:
      requests === 0
        ? null
        : { "2xx": share("2xx"), "3xx": share("3xx"), "4xx": share("4xx"), "5xx": share("5xx") },
    inFlight: flight.inFlight,
    oldestInFlightSeconds: oldest === null ? null : oldest / 1000,
  };
}
