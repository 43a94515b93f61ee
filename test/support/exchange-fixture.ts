/**
 * An exchange with plain objects at both ends: no socket, no class of node:http. The upstream is played by the
 * test, step by step; the answer is written down.
 */
import { Readable } from "node:stream";
import type { Clock } from "../../src/base/clock.ts";
import { configSchema } from "../../src/config/schema.ts";
import type { JourneyPin } from "../../src/decide/pin.ts";
import { createLastingWitnesses, exposuresOf, witnessesFor } from "../../src/instance/witnesses.ts";
import { createClaimBudget } from "../../src/ownership/claim-budget.ts";
import { createExposure } from "../../src/ownership/exposure/exposure.ts";
import { createOwnerMemory } from "../../src/ownership/owner-memory.ts";
import { createOwnership } from "../../src/ownership/ownership.ts";
import { createPinFilter, type PinFilter } from "../../src/ownership/pin-filter.ts";
import { createPins } from "../../src/ownership/pins.ts";
import type { JourneyEvent } from "../../src/ownership/port.ts";
import type { LateOwner } from "../../src/ownership/spool/spool-file.ts";
import { createMemoryStores } from "../../src/ownership/stores/in-process.ts";
import type { OwnerStore, OwnershipStores, PinNews, PinStore } from "../../src/ownership/stores/port.ts";
import { createUnowned } from "../../src/ownership/unowned.ts";
import type { ExchangeContext } from "../../src/proxy/context.ts";
import { createHandle } from "../../src/proxy/exchange.ts";
import { createForceAttempts } from "../../src/proxy/force/attempts.ts";
import type { Answer, AnswerHead, RequestHead } from "../../src/proxy/inbound.ts";
import type { BodyLimits } from "../../src/proxy/request/body-limits.ts";
import { createFieldNames } from "../../src/proxy/request/field-names.ts";
import { createIds } from "../../src/proxy/request/ids.ts";
import { compileTable } from "../../src/proxy/routes.ts";
import type { Way } from "../../src/proxy/upstream/admission.ts";
import type { ForwardRequest, ResponseSink } from "../../src/proxy/upstream/port.ts";
import type { ExchangeRecord, Witness } from "../../src/proxy/witness.ts";
import { createRollbacks } from "../../src/state/follow/rollbacks.ts";
import type { Snapshot } from "../../src/state/follow/snapshot.ts";
import { type CutoverState, initialState, type Side } from "../../src/state/rules/model.ts";
import type { MeterRow } from "../../src/telemetry/requests/counts.ts";
import { wayTo } from "./ways.ts";

export interface Attempt {
  readonly upstream: string;
  readonly request: ForwardRequest;
  readonly sink: ResponseSink;
  aborted: boolean;
}

export interface RecordedAnswer extends Answer {
  readonly heads: AnswerHead[];
  readonly body: () => string;
  readonly ended: () => boolean;
  readonly aborted: () => boolean;
  /** The client's connection ends. */
  leave(): void;
}

/** What the access log was told of. */
type Entry = Pick<ExchangeRecord, "cutover" | "route" | "side" | "reason" | "outcome" | "status" | "code"> & {
  readonly orElse?: Side;
};

export interface FixtureOptions {
  readonly state?: Partial<CutoverState>;
  /** Over the sample configuration of one cutover. */
  readonly cutover?: Readonly<Record<string, unknown>>;
  /** Further cutovers beside it, `checkout`, each over the sample too. */
  readonly others?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Over a store of owners that is `owned` and `claims`, and one of pins in memory. */
  readonly owners?: Partial<OwnerStore>;
  readonly pins?: Partial<PinStore>;
  /** Where a filter of pins hears of them; without it the store is asked for every shopper. */
  readonly pinNews?: PinNews | undefined;
  readonly watch?: OwnershipStores["watch"] | undefined;
  /** In place of a time of its own. */
  readonly time?: { ms: number };
  readonly trusts?: (address: string) => boolean;
  readonly bodyLimits?: Partial<BodyLimits>;
  readonly trustedFields?: readonly string[];
  readonly limits?: Readonly<Record<string, unknown>>;
  readonly paths?: Readonly<Record<string, unknown>>;
  /** Fixed routes, and what is of hosts. */
  readonly routes?: readonly Readonly<Record<string, unknown>>[];
  readonly hosts?: Readonly<Record<string, unknown>>;
  readonly visitor?: Readonly<Record<string, unknown>>;
  readonly trustedProxies?: readonly string[];
  /** Who is on which list. */
  readonly lists?: Readonly<Record<string, readonly string[]>>;
  /** What the configuration says of the upstreams, `fresh` like `old` without it. */
  readonly old?: Readonly<Record<string, unknown>>;
  readonly fresh?: Readonly<Record<string, unknown>>;
  /** Is told of every exchange, last of all witnesses. */
  readonly witness?: Witness;
  /** In place of those the test plays. */
  readonly ways?: { readonly old: Way; readonly fresh: Way };
}

const sample = {
  legacy: "old",
  new: "fresh",
  shopper: ["header:x-shopper-id", "cookie:sid"],
  routes: [
    { name: "cart", path: "/cart/*" },
    { name: "checkout", path: "/checkout", methods: ["POST"], journey: "start" },
    { name: "pay", path: "/orders/:orderId/pay", methods: ["POST"], journey: "end", payment: true },
    { name: "callback", path: "/callbacks/payment", methods: ["POST"] },
  ],
  journey: { cookie: "cutover_journey", secret: "s3cret" },
  owners: [
    { key: "header:idempotency-key", ttl: "24h" },
    { key: ["param:orderId", "json:/order_id"], learn: ["json:/orderId", "header:location"] },
  ],
};

export function createFixture(options: FixtureOptions = {}) {
  const { old = {}, fresh = old, others = {} } = options;
  const config = configSchema.parse({
    upstreams: { old: { url: "http://127.0.0.1:1", ...old }, fresh: { url: "http://127.0.0.1:2", ...fresh } },
    default: "old",
    paths: options.paths,
    routes: options.routes,
    hosts: options.hosts,
    visitor: options.visitor,
    limits: options.limits,
    trustedFields: options.trustedFields,
    trustedProxies: options.trustedProxies,
    cutovers: {
      checkout: { ...sample, ...options.cutover },
      ...Object.fromEntries(Object.entries(others).map(([name, more]) => [name, { ...sample, ...more }])),
    },
  });
  const attempts: Attempt[] = [];
  const entries: Entry[] = [];
  const decisions: string[] = [];
  const inFlight = { legacy: 0, new: 0, none: 0 };
  const counted: string[] = [];
  const journeys: { readonly cutover: string; readonly pin: JourneyPin; readonly event: JourneyEvent }[] = [];
  const finished: string[] = [];
  const owned = new Map<string, Side>();
  const claims = new Map<string, Side>();
  const spooled: LateOwner[] = [];
  const learned: string[] = [];
  const time = options.time ?? { ms: 1_700_000_000_000 };
  let snapshot: Snapshot = {
    states: new Map([
      ["checkout", { ...initialState(), ...options.state }],
      ...Object.keys(others).map((name) => [name, initialState()] as const),
    ]),
  };
  const swapped = new Set<(snapshot: Snapshot, previous: Snapshot) => void>();

  const row: MeterRow = {
    decided: (side, reason) => decisions.push(`${side} ${reason}`),
    began: (side) => {
      inFlight[side] += 1;
    },
    answered: () => {},
    settled: (side, outcome) => {
      inFlight[side] -= 1;
      counted.push(`${side} ${outcome}`);
    },
    journeyed: () => {},
  };
  const accessLog: Witness = {
    settled(record, outcome) {
      const { cutover, route, side, reason, status, code } = record;
      const { orElse } = record;
      entries.push({ cutover, route, side, reason, outcome, status, code, ...(orElse && { orElse }) });
    },
  };
  const clock = { now: () => time.ms, monotonic: () => time.ms };
  const stores = createMemoryStores(clock);
  const exposure = createExposure({ ...stores, clock, timers: { after: () => () => {} } });
  void exposure.follow(exposuresOf(config));
  const note = (what: string) => () => void counted.push(what);
  const lasting = createLastingWitnesses(
    accessLog,
    {
      opened(cutover, side) {
        counted.push(`upgraded ${cutover} ${side}`);
        return (end) => counted.push(`upgrade ended ${end}`);
      },
    },
    {
      ignoredPin: (cutover, fault) => counted.push(`pin ${cutover} ${fault}`),
      missingCookie: (_, keepsNone) => counted.push(`missing cookie${keepsNone ? " of none" : ""}`),
      unreadBody: note("unread body"),
      longKey: note("long key"),
      nearPath: (cutover) => counted.push(`near path ${cutover}`),
      unreadChoice: (cutover) => counted.push(`unread choice ${cutover}`),
      unknownDocument: (cutover) => counted.push(`unknown document ${cutover}`),
      unreadAmount: note("unread amount"),
    },
    {
      seen: (cutover, pin, event) => journeys.push({ cutover, pin, event }),
      finished: (cutover, key) => finished.push(`${cutover} ${key}`),
    },
    (_, side, why) => void counted.push(`unread answer ${side} ${why}`),
    {},
    (...keys) => ownership.release(...keys),
    { asked: (cutover, side, isFound) => counted.push(`${isFound ? "found" : "missed"} ${cutover} ${side}`) },
    exposure.closed,
  );
  const played = (name: string): Way =>
    wayTo({
      name,
      forward(request, sink) {
        const attempt: Attempt = { upstream: name, request, sink, aborted: false };
        attempts.push(attempt);
        return {
          resume: () => {},
          abort: () => {
            attempt.aborted = true;
          },
        };
      },
      close: async () => {},
    });
  const ownership = createOwnership({
    owners: {
      lookup: async (_, keys) =>
        keys.map(({ key, claimed }) => (claimed ? claims.get(key) : undefined) ?? owned.get(key)),
      async record(_, { key, claimed }, side) {
        const records = claimed ? claims : owned;
        const before = records.get(key) ?? owned.get(key);
        if (!records.has(key)) records.set(key, before ?? side);
        return before;
      },
      async settle(_, { key }, __, isKept) {
        if (!isKept) claims.delete(key);
      },
      release: async (_, key, side) => owned.get(key) === side && owned.delete(key),
      ...options.owners,
    },
    memory: createOwnerMemory(),
    watch: options.watch,
    spool: { add: async (late) => void spooled.push(late) },
    onLearned(cutover, { key, amount }, side) {
      learned.push(`${key} ${side}`);
      if (amount !== undefined && side === "new") exposure.opened(cutover, key, amount);
    },
    counts: {
      conflict: note("conflict"),
      unknown: note("unknown owner"),
      unrecorded: note("unrecorded"),
      disputed: note("disputed"),
    },
    clock,
  });

  const table = compileTable(
    config,
    new Map(Object.entries(options.ways ?? { old: played("old"), fresh: played("fresh") })),
    { of: () => ["s3cret"] },
    witnessesFor(lasting, { row: () => row }, options.witness ?? {}),
  );
  const following: ExchangeContext["following"] = {
    current: () => snapshot,
    onSwap: (listener) => {
      swapped.add(listener);
      return () => swapped.delete(listener);
    },
    contact: () => ({ up: true, stalenessMs: 0 }),
    isStale: () => false,
    isDoubtful: () => false,
    refresh: async () => {},
  };
  const context: ExchangeContext = {
    table: {
      ...table,
      bodyLimits: { maxBytes: 1_000_000, paceMs: 60_000, ...options.bodyLimits },
      trusts: options.trusts ?? table.trusts,
    },
    following,
    rollbacks: createRollbacks(following),
    lists: { has: (list, member) => options.lists?.[list]?.includes(member) === true },
    ownership,
    budget: createClaimBudget({
      owners: { ...options.owners },
      clock,
      onExceeded: (_, cause, outcome) => void counted.push(`over budget ${cause} ${outcome}`),
    }),
    force: createForceAttempts({
      clock,
      counts: { wrong: note("wrong force"), ignored: note("ignored force") },
      log: { warn: () => undefined },
    }),
    droppedCookie: (why) => void counted.push(`dropped cookie ${why}`),
    exposure,
    unowned: createUnowned(clock, { awaited: note("awaited"), guessed: note("guessed") }),
    pins: createPins({
      pins: { ...stores.pins, ...options.pins },
      filter: options.pinNews && filterOver(options.pinNews, clock),
      clock,
      onUnknown: note("unknown pin"),
    }),
    clock,
    fieldNames: createFieldNames(),
    ids: createIds(),
    proxyName: "cutover-test",
    onFault: (error) => {
      throw error;
    },
  };
  const exchange = createHandle(context);

  return {
    context,
    exchange,
    attempts,
    entries,
    decisions,
    counted,
    journeys,
    finished,
    inFlight,
    owned,
    claims,
    spooled,
    learned,
    pins: stores.pins,
    exposure,
    time,
    set: (next: Partial<CutoverState>, name = "checkout") => {
      const previous = snapshot;
      const state = { ...(previous.states.get(name) ?? initialState()), ...next };
      snapshot = { states: new Map([...previous.states, [name, state]]) };
      for (const listener of swapped) listener(snapshot, previous);
    },
    /** Lets an exchange begin; a text as its body makes it sized, a stream is as the head says. */
    send(
      head: Partial<RequestHead> & { readonly method: string; readonly target: string },
      body?: string | Readable,
      isLost?: () => boolean,
    ) {
      const answer = recordAnswer();
      exchange({
        head: {
          fields: ["Host", "shop.example"],
          version: "1.1",
          framing:
            typeof body === "string" ? { kind: "sized", length: Buffer.byteLength(body) } : { kind: "none" },
          peer: { address: "192.0.2.7", encrypted: false },
          ...head,
        },
        body: typeof body === "object" ? body : Readable.from(body === undefined ? [] : [Buffer.from(body)]),
        answer,
        isLost,
      });
      return answer;
    },
  };
}

/** The filter of the sample's pins, small; its times are the test's. */
function filterOver(news: PinNews, clock: Clock): PinFilter {
  const filter = createPinFilter({ news, clock, timers: { after: () => () => {} }, bits: 2 ** 16 });
  filter.follow([{ name: "checkout", journey: { life: { maxTtl: 14_400 } } }]);
  return filter;
}

function recordAnswer(): RecordedAnswer {
  const heads: AnswerHead[] = [];
  const chunks: Buffer[] = [];
  let ended = false;
  let aborted = false;
  let left = () => {};
  return {
    heads,
    body: () => Buffer.concat(chunks).toString(),
    ended: () => ended,
    aborted: () => aborted,
    leave() {
      left();
    },
    headSent: () => heads.length > 0,
    interim: () => {},
    head: (head) => heads.push(head),
    write(chunk) {
      chunks.push(chunk);
      return true;
    },
    end: () => {
      ended = true;
    },
    abort: () => {
      aborted = true;
    },
    onDrain: () => {},
    onGone: (listener) => {
      left = () => listener("left");
    },
  };
}

/** An answer of the upstream's, as an engine would report it. */
export function answer(
  attempt: Attempt | undefined,
  status: number,
  fields: readonly string[] = [],
  body = "",
) {
  if (attempt === undefined) throw new Error("nothing was forwarded");
  attempt.sink.head({ status, reason: "", fields });
  if (body !== "") attempt.sink.data(Buffer.from(body));
  attempt.sink.end([]);
}
