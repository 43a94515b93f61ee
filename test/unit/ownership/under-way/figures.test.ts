import { describe, expect, it } from "vitest";
import { StoreUnavailable } from "../../../../src/base/unavailable.ts";
import { configSchema } from "../../../../src/config/schema.ts";
import { createOpenFigures } from "../../../../src/ownership/under-way/figures.ts";
import { createOpenInProcess } from "../../../../src/ownership/under-way/in-process.ts";
import type { OpenQuestion, OpenStore } from "../../../../src/ownership/under-way/port.ts";
import { initialState } from "../../../../src/state/rules/model.ts";
import { createManualTime } from "../../../support/manual-time.ts";

const base = { legacy: "old", new: "fresh", shopper: ["cookie:sid"] };
const begin = { name: "begin", path: "/checkout", journey: "start" };
const pay = (path: string) => ({ name: "pay", path, payment: true });
const journey = { ttl: "30m" };
const config = configSchema.parse({
  upstreams: { old: { url: "http://127.0.0.1:1" }, fresh: { url: "http://127.0.0.1:2" } },
  default: "old",
  cutovers: {
    both: {
      ...base,
      routes: [begin, pay("/orders/:id/pay")],
      journey: { ...journey, cookie: "b" },
      owners: [{ key: "param:id", learn: ["json:/id"] }],
    },
    journeys: {
      ...base,
      routes: [begin, pay("/j/pay")],
      journey: { ...journey, cookie: "j" },
      owners: [{ key: "header:idempotency-key" }],
    },
    orders: {
      ...base,
      routes: [pay("/o/pay")],
      owners: [{ key: ["param:id", "header:x-order"], learn: ["json:/id"] }],
    },
    // The one route that finishes an order can not name it.
    nameless: {
      ...base,
      routes: [pay("/n/pay"), { name: "order", path: "/n/orders/:id" }],
      owners: [{ key: "param:id", learn: ["json:/id"] }],
    },
    endless: {
      ...base,
      routes: [{ name: "all", path: "/e/*" }],
      owners: [{ key: "header:x-order", learn: ["json:/id"] }],
    },
  },
});

function rig(count?: OpenStore["count"]) {
  const time = createManualTime();
  const store = createOpenInProcess(time);
  const asked: (readonly OpenQuestion[])[] = [];
  const following = { up: true, pinEpoch: 0 };
  const read = createOpenFigures({
    store: {
      count(questions) {
        asked.push(questions);
        return (count ?? store.count)(questions);
      },
    },
    config: () => config,
    following: {
      current: () => ({ states: new Map([["both", { ...initialState(), pinEpoch: following.pinEpoch }]]) }),
      contact: () => ({ up: following.up, stalenessMs: 0 }),
    },
  });
  return { time, store, asked, following, read };
}

describe("what is open, for people and Prometheus", () => {
  it("knows of each cutover what its configuration lets it know", async () => {
    const { read, asked } = rig();
    const figures = await read();
    const known = [...figures].map(([name, { journeys, unfinished }]) => {
      return [name, journeys !== null, unfinished !== null];
    });
    expect(known).toEqual([
      ["both", true, true],
      ["journeys", true, false],
      ["orders", false, true],
    ]);
    expect(asked).toHaveLength(1);
  });

  it("asks for the epoch in force, and tells times as RFC 3339", async () => {
    const { read, store, time, following } = rig();
    following.pinEpoch = 2;
    const startedAt = time.now() / 1000;
    const open = { side: "new", startedAt, expiresAt: startedAt + 60 } as const;
    const note = { kind: "journeys", cutover: "both", atMs: time.now(), open } as const;
    await store.note([
      { ...note, id: "void", epoch: 1 },
      { ...note, id: "a", epoch: 2 },
    ]);
    expect((await read()).get("both")?.journeys).toEqual({
      legacy: { open: 0, atLeast: false, oldestStartedAt: null },
      new: { open: 1, atLeast: false, oldestStartedAt: "2026-01-01T00:00:00.000Z" },
    });
  });

  it("tells nothing while the store is out of reach, and does not ask for it when that is known", async () => {
    const { read, asked, following } = rig(async () => {
      throw new StoreUnavailable("off");
    });
    expect((await read()).size).toBe(0);
    following.up = false;
    expect((await read()).size).toBe(0);
    expect(asked).toHaveLength(1);
  });

  it("says null where the store holds what does not tell", async () => {
    const { read } = rig(async (questions) => questions.map(() => undefined));
    expect((await read()).get("both")).toEqual({ journeys: null, unfinished: null });
  });

  it("asks once for all who ask at once, and again for the next", async () => {
    const { read, asked } = rig();
    await Promise.all([read(), read(), read()]);
    expect(asked).toHaveLength(1);
    await read();
    expect(asked).toHaveLength(2);
  });
});
