import { describe, expect, test } from "vitest";
import { StoreUnavailable } from "../../../../src/base/errors.ts";
import { createFiguresUnderWay } from "../../../../src/ownership/under-way/figures.ts";
import { createUnderWayInProcess } from "../../../../src/ownership/under-way/in-process.ts";
import type { UnderWayQuestion, UnderWayStore } from "../../../../src/ownership/under-way/port.ts";
import { createManualTime } from "../../../support/manual-time.ts";

function rig(count?: UnderWayStore["count"]) {
  const time = createManualTime();
  const store = createUnderWayInProcess(time);
  const asked: (readonly UnderWayQuestion[])[] = [];
  const following = { up: true, epoch: 0 };
  const questions = (): readonly UnderWayQuestion[] => [
    { kind: "journeys", cutover: "both", epoch: following.epoch },
    { kind: "orders", cutover: "both", epoch: 0 },
    { kind: "journeys", cutover: "journeys", epoch: 0 },
    { kind: "orders", cutover: "orders", epoch: 0 },
  ];
  const counting: Pick<UnderWayStore, "count"> = {
    count(put) {
      asked.push(put);
      return (count ?? store.count)(put);
    },
  };
  const read = createFiguresUnderWay(counting, questions, () => following.up);
  return { time, store, asked, following, read };
}

/** Each is counted, and none is told. */
const untold = [
  ["both", { untold: ["journeys", "orders"] }],
  ["journeys", { untold: ["journeys"] }],
  ["orders", { untold: ["orders"] }],
];

describe("what is under way, for people and Prometheus", () => {
  test("is told of each cutover as far as that is asked, in one question", async () => {
    const { read, asked } = rig();
    const figures = await read();
    const known = [...figures].map(([name, { journeys, orders }]) => {
      return [name, journeys !== undefined, orders !== undefined];
    });
    expect(known).toEqual([
      ["both", true, true],
      ["journeys", true, false],
      ["orders", false, true],
    ]);
    expect(asked).toHaveLength(1);
  });

  test("is that of the epoch that is asked for", async () => {
    const { read, store, time, following } = rig();
    following.epoch = 2;
    const startedAt = time.now() / 1000;
    const underWay = { side: "new", startedAt, expiresAt: startedAt + 60 } as const;
    const note = { kind: "journeys", cutover: "both", atMs: time.now(), underWay } as const;
    await store.note([
      { ...note, id: "void", epoch: 1 },
      { ...note, id: "a", epoch: 2 },
    ]);
    expect((await read()).get("both")?.journeys).toMatchObject({
      legacy: { count: 0, atLeast: false, oldestStartedAt: undefined },
      new: { count: 1, atLeast: false, oldestStartedAt: startedAt },
    });
  });

  test("is not told while the store is out of reach, nor asked for when that is known", async () => {
    const { read, asked, following } = rig(async () => {
      throw new StoreUnavailable("off");
    });
    expect([...(await read())]).toEqual(untold);
    following.up = false;
    expect([...(await read())]).toEqual(untold);
    expect(asked).toHaveLength(1);
  });

  test("is not told where what is in the store does not tell", async () => {
    const { read } = rig(async (questions) => questions.map(() => undefined));
    expect([...(await read())]).toEqual(untold);
  });

  test("is asked for once for all who ask at once, and again for the next", async () => {
    const { read, asked } = rig();
    await Promise.all([read(), read(), read()]);
    expect(asked).toHaveLength(1);
    await read();
    expect(asked).toHaveLength(2);
  });
});
