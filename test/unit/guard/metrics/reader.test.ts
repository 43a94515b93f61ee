/** When a cutover's own metrics are asked for, and how long what was found counts: over fake time. */
import { expect, test } from "vitest";
import { createMetricsReader } from "../../../../src/guard/metrics/reader.ts";
import type { MetricRule, Reply } from "../../../../src/guard/metrics/rule.ts";
import { type CutoverState, initialState } from "../../../../src/state/rules/model.ts";
import { createManualTime, epoch } from "../../../support/manual-time.ts";
import { createRecordedLog } from "../../../support/recorded-log.ts";

const forMs = 20_000;
const metric: MetricRule = {
  ...{ name: "stock", query: "stock{side='$side'}", worse: "above", by: undefined, than: 2 },
  ...{ for: forMs, action: "hold" },
};
const bad: Reply = {
  kind: "points",
  points: Array.from({ length: 20 }, (_, at) => ({ at, value: 9 })),
};

/** A cutover whose share new has had since the epoch; the store's clock is an hour ahead of the host's. */
function create(answer: () => Reply | Promise<Reply> = () => bad, metrics = [metric]) {
  const time = createManualTime();
  const log = createRecordedLog();
  const queries: string[] = [];
  const reader = createMetricsReader({
    ...{ name: "checkout", metrics, clock: time, log, onFound: () => {} },
    url: () => "http://prometheus.test",
    storeMs: () => time.now() + 3_600_000,
    async ask({ query, signal }) {
      queries.push(query);
      const ended = new Promise<Reply>((resolve) => {
        signal.addEventListener("abort", () => resolve({ kind: "nothing", why: "ended" }));
      });
      return Promise.race([answer(), ended]);
    },
  });
  /** Of a state that was changed when the store's clock said so. */
  const stateAt = (ms: number, more: Partial<CutoverState> = {}): CutoverState => ({
    ...initialState(),
    ...{ percentThousandths: 50_000, version: 3, updatedAt: new Date(ms).toISOString() },
    ...more,
  });
  const fresh = stateAt(epoch + 3_600_000);
  const looked = async (state = fresh) => {
    reader.look(state);
    await time.advance(0);
    return reader.look(state)[0]?.state;
  };
  return { time, reader, queries, log, stateAt, fresh, looked };
}

test("it is asked once a step, however often one looks, and never twice at once", async () => {
  let answers: ((answer: Reply) => void) | undefined;
  const { time, queries, looked } = create(
    () =>
      new Promise((resolve) => {
        answers = resolve;
      }),
  );
  for (let look = 0; look < 20; look += 1) {
    await looked();
    await time.advance(250);
  }
  expect(queries).toHaveLength(1);
  answers?.(bad);
  for (let look = 0; look < 4; look += 1) {
    await looked();
    await time.advance(250);
  }
  expect(queries).toHaveLength(2);
});

test("what was before new had its share says nothing: it is pending until that stood for the time", async () => {
  const { time, looked } = create();
  expect(await looked()).toBe("pending");
  await time.advance(forMs - 1);
  expect(await looked()).toBe("pending");
  await time.advance(1000);
  expect(await looked()).toBe("worse");
});

test("who takes over the lead goes by when the cutover was changed last, by the store's clock", async () => {
  const { looked, stateAt } = create();
  expect(await looked(stateAt(epoch + 3_600_000 - forMs))).toBe("worse");
  const { looked: other, stateAt: at } = create();
  expect(await other(at(epoch + 3_600_000 - forMs + 1))).toBe("pending");
});

test("a raise goes on with the time that has passed; a resume begins it anew, and what was found before is forgotten", async () => {
  const { time, reader, looked, stateAt, fresh } = create();
  await looked();
  await time.advance(forMs);
  const raised = { ...fresh, percentThousandths: 60_000, version: 4 };
  expect(await looked(raised)).toBe("worse");
  const held = stateAt(time.now() + 3_600_000, { state: "held" });
  expect(await looked(held)).toBe("worse");
  const resumed = stateAt(epoch + 3_600_000, { state: "open" });
  expect(reader.look(resumed)[0]?.state).toBe("no data");
  expect(await looked(resumed)).toBe("pending");
  await time.advance(forMs);
  expect(await looked(resumed)).toBe("worse");
});

test("an answer that comes after it has rested counts for nothing", async () => {
  let answers: ((answer: Reply) => void) | undefined;
  const { time, reader, looked, stateAt } = create(
    () =>
      new Promise((resolve) => {
        answers = resolve;
      }),
  );
  await looked(stateAt(epoch));
  reader.rest();
  answers?.(bad);
  await time.advance(0);
  expect(reader.look(stateAt(epoch))[0]?.state).toBe("no data");
});

test("each new state of a metric is in the log once, with its sentence", async () => {
  const { time, log, looked } = create();
  for (let second = 0; second < 30; second += 1) {
    await looked();
    await time.advance(1000);
  }
  expect(log.lines.map(({ fields }) => fields.state)).toEqual(["pending", "worse"]);
});

test("without a Prometheus it says so", async () => {
  const time = createManualTime();
  const reader = createMetricsReader({
    ...{ name: "checkout", metrics: [metric], clock: time, log: createRecordedLog(), onFound: () => {} },
    url: () => undefined,
    storeMs: () => time.now(),
  });
  reader.look(initialState());
  await time.advance(0);
  expect(reader.look(initialState())[0]?.sentence).toBe("stock: no data (new: no Prometheus is configured)");
});
