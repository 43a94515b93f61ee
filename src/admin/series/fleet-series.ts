/**
 * Keeps the fleet's figures of the last 24 h of each cutover (telemetry/series) and tells them. Once a step is over and
 * everybody has had the time to publish it, the records of all are read and added up: one reading of the store in 5 s, for
 * what is told of payments stands in the records of 9 s alone.
 */
import { createPaymentsBook, type PaymentsBook } from "../../telemetry/series/payments.ts";
import { createSeriesBook, type SeriesBook } from "../../telemetry/series/series.ts";
import { stepMs } from "../../telemetry/traffic/step.ts";
import type { AdminContext } from "../context.ts";
import type { Fleet } from "../fleet.ts";
import type { Views } from "../view.ts";

/** Records are renewed each second, and clocks differ. */
const lagMs = 3000;
const lookMs = 1000;
/** A divisor of a step. */
const readMs = 5000;

export interface FleetSeries extends Pick<SeriesBook, "read"> {
  readonly payments: PaymentsBook["read"];
  close(): void;
}

export function openFleetSeries(
  { clock, log, journeys }: AdminContext,
  views: Views,
  fleet: Fleet,
): FleetSeries {
  const book = createSeriesBook();
  const payments = createPaymentsBook();
  const turnOf = () => Math.floor((clock.now() - lagMs) / readMs);
  const lastOver = () => Math.floor((clock.now() - lagMs) / stepMs) * stepMs - stepMs;
  let turn = turnOf();
  let added = lastOver();

  async function read(): Promise<void> {
    const at = lastOver();
    const isOver = at > added;
    added = Math.max(added, at);
    const records = await fleet.read();
    const names = views.names();
    for (const each of [book, payments]) each.keep(names);
    for (const name of names) {
      for (const { instance, blocks } of journeys(name, records)) {
        for (const { key, rows } of blocks) payments.add(name, `${instance} ${key}`, rows, clock.now());
      }
      const forms = records.map(({ traffic }) => traffic[name]);
      if (isOver) book.add(name, at, forms);
    }
  }

  async function look(): Promise<void> {
    const next = turnOf();
    if (next === turn) return;
    turn = next;
    try {
      await read();
    } catch (error) {
      log.error({ err: error }, "a step of the series could not be added");
    }
  }

  const timer = setInterval(() => void look(), lookMs);
  timer.unref();
  return { read: book.read, payments: payments.read, close: () => clearInterval(timer) };
}
