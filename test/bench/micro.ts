/** What is too small to be seen from outside: deciding, finding the route, and an owner that is remembered. */

import { systemClock } from "../../src/base/clock.ts";
import { parsePath } from "../../src/config/values/path.ts";
import type { When } from "../../src/config/values/when.ts";
import { bucketOf } from "../../src/decide/bucket.ts";
import { decide, type Facts } from "../../src/decide/decide.ts";
import { compileRoutes, type Router } from "../../src/decide/route.ts";
import { readOperations } from "../../src/decide/when/operations.ts";
import { holdsByBody } from "../../src/decide/when/when.ts";
import { createGuardCounting } from "../../src/guard/window/counting.ts";
import { createOwnerMemory } from "../../src/ownership/owner-memory.ts";
import { createOwnership } from "../../src/ownership/ownership.ts";
import type { OwnerKey } from "../../src/ownership/port.ts";
import { createMemoryStores } from "../../src/ownership/stores/in-process.ts";
import { bodyValues } from "../../src/proxy/request/buffered-body.ts";
import { createDocuments } from "../../src/proxy/request/choice/documents.ts";
import { initialState } from "../../src/state/rules/model.ts";
import { collector } from "../support/collector.ts";
import { recordOf } from "../support/exchange-record.ts";
import { aligned, median } from "./report.ts";

const runs = 9;
const callsPerRun = 1_000_000;
const inputs = 1000;

interface Timing {
  readonly nanoseconds: number;
  /** What a call leaves behind in the heap, after a collection. */
  readonly bytesKept: number;
}

/** @returns a table: each call's time and what it leaves on the heap */
export async function microTable(): Promise<string> {
  const state = { ...initialState(), percentThousandths: 25_000 };
  const facts: Facts[] = [];
  const shoppers: string[] = [];
  const paths: string[] = [];
  for (let i = 0; i < inputs; i++) {
    const shopper = `shopper-${i}`;
    const bucket = bucketOf("checkout:", shopper);
    shoppers.push(shopper);
    facts.push({ owner: undefined, journey: undefined, forced: undefined, bucket, stale: false });
    paths.push(`/c${i % 100}/r${i % 10}/items`);
  }
  const only = routerOf(1, 1);
  const large = routerOf(100, 10);
  const timings: Readonly<Record<string, Timing>> = {
    decide: timed(facts, (each) => decide(state, each).side === "new"),
    "bucket of a shopper": timed(shoppers, (shopper) => bucketOf("checkout:", shopper) > 0),
    "route, 1 in 1 cutover": timed(["/c0/r0/items"], (path) => only.match("GET", path) !== undefined),
    "route, 1,000 in 100 cutovers": timed(paths, (path) => large.match("GET", path) !== undefined),
    "guard's count of a request": guardTiming(),
    "route of a GraphQL document seen before": await documentTiming(),
    "owner of a key, among 100,000": ownerTiming(true),
    "owner of an order, among 200,000": ownerTiming(false),
  };
  const lines = Object.entries(timings).map(([name, { nanoseconds, bytesKept }]) => [
    name,
    nanoseconds.toFixed(0),
    bytesKept.toFixed(2),
  ]);
  return aligned([["", "ns", "bytes kept"], ...lines]);
}

/** One request from its decision to its end, each by another shopper. */
function guardTiming(): Timing {
  const times = {
    ...{ blockMs: 2000, quickAfterMs: 1000, lateAfterMs: 10_000 },
    ...{ sloMs: 2000, followsJourneys: true },
  };
  const on = { attempts: true, starts: true, ends: true, assigns: true };
  const witness = createGuardCounting(systemClock).witness("checkout", times, on);
  const state = { ...initialState(), version: 1, percentThousandths: 25_000 };
  const records = Array.from({ length: inputs }, (_, i) => {
    const bucket = i * 97;
    const side = bucket < state.percentThousandths ? "new" : "legacy";
    const decision = { side, reason: "bucket" } as const;
    const decided = {
      decision,
      state,
      bucket,
      pin: undefined,
      keys: [],
      named: new Set<string>(),
      carried: false,
    };
    return recordOf({ side, decided: { ...decided, shopper: undefined, begun: undefined }, arrivedAt: 0 });
  });
  const startedAt = Math.floor(systemClock.now() / 1000) + 10;
  const pins = {
    legacy: { id: "legacy", side: "legacy", epoch: 0, startedAt, expiresAt: startedAt + 1800 },
    new: { id: "new", side: "new", epoch: 0, startedAt, expiresAt: startedAt + 1800 },
    none: undefined,
  } as const;
  return timed(records, (record) => {
    const pin = pins[record.side];
    if (pin === undefined) return false;
    Object.assign(record, { arrivedAt: systemClock.monotonic() });
    witness.decided?.(record);
    witness.answered?.(record);
    witness.journeyed?.(record, pin, "end");
    witness.settled?.(record, "ok");
    return record.side === "new";
  });
}

/** All that such a request costs more than one whose body is only buffered: its JSON is read, its document looked up. */
async function documentTiming(): Promise<Timing> {
  const documents = createDocuments(new Map());
  await documents.loaded;
  const fields = ["id", "code", "state", "total", "lines { id quantity productVariant { id name sku } }"];
  const bodies = Array.from({ length: 100 }, (_, i) => {
    const query = `mutation Pay${i}($input: PaymentInput!) { addPaymentToOrder(input: $input) { ... on Order { ${fields.join(" ")} } } }`;
    const variables = { input: { method: "card", metadata: { token: `t-${i}` } } };
    return Buffer.from(JSON.stringify({ operationName: `Pay${i}`, query, variables }));
  });
  const when: When = {
    graphql: [
      { type: undefined, name: "addItemToOrder" },
      { type: "mutation", name: "addPaymentToOrder" },
    ],
  };
  return timed(bodies, (content) => {
    const values = bodyValues(content, "application/json", undefined);
    if (typeof values === "string") return false;
    const body = { kind: "read", values } as const;
    const said = { name: undefined, type: undefined };
    const view = { query: "", body, type: "application/json", said };
    return holdsByBody(when, body, () => readOperations(view, documents)) === "holds";
  });
}

/** @param claimed an idempotency key; else an order */
function ownerTiming(claimed: boolean): Timing {
  const silent = () => undefined;
  const memory = createOwnerMemory();
  const ownership = createOwnership({
    memory,
    owners: createMemoryStores(systemClock).owners,
    spool: { add: async () => {} },
    counts: { conflict: silent, unknown: silent, unrecorded: silent, disputed: silent },
    clock: systemClock,
  });
  const keyOf = (i: number) => ({ key: `018f3c1e-${i}-7000-8000-0123456789ab`, claimed });
  for (let i = 0; i < 200_000; i++) memory.remember("checkout", keyOf(i), "new");
  // They are the last ones, which are surely remembered.
  const keys = Array.from({ length: inputs }, (_, i): OwnerKey[] => [
    { ...keyOf(200_000 - 1 - i * 45), ttlMs: 3_600_000 },
  ]);
  return timed(keys, (key) => {
    const found = ownership.find("checkout", key);
    return !("then" in found) && found.owner === "new";
  });
}

function routerOf(cutovers: number, routesEach: number): Router<string> {
  const entries = [];
  for (let c = 0; c < cutovers; c++) {
    for (let r = 0; r < routesEach; r++) {
      const pattern = parsePath(`/c${c}/r${r}/*`);
      if (typeof pattern === "string") throw new Error(pattern);
      entries.push({ pattern, methods: undefined, value: `${c}-${r}` });
    }
  }
  return compileRoutes(entries);
}

function timed<Input>(given: readonly Input[], call: (input: Input) => boolean): Timing {
  const collect = collector();
  const times: number[] = [];
  const kept: number[] = [];
  let yes = 0;
  for (let run = 0; run < runs; run++) {
    collect();
    const heapBefore = process.memoryUsage().heapUsed;
    const startedAt = performance.now();
    for (let i = 0; i < callsPerRun; ) {
      for (const input of given) {
        if (call(input)) yes += 1;
        i += 1;
      }
    }
    times.push(((performance.now() - startedAt) * 1e6) / callsPerRun);
    collect();
    kept.push((process.memoryUsage().heapUsed - heapBefore) / callsPerRun);
  }
  if (yes === 0) throw new Error("nothing was computed");
  return { nanoseconds: median(times), bytesKept: Math.max(0, median(kept)) };
}
