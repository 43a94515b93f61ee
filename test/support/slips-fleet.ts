/**
 * Two instances of the proxy in this process, one an engine, on real listeners before real upstreams; over one place of
 * owners and pins, in the test's own time. Listeners and connections stay; what remembers is new for each case.
 */
import { Agent, request as send } from "node:http";
import { StoreUnavailable } from "../../src/base/errors.ts";
import { configSchema } from "../../src/config/schema.ts";
import type { NamedKey, OwnershipStores } from "../../src/ownership/stores/port.ts";
import { createProxyServer } from "../../src/proxy/listen/server.ts";
import { openTransports } from "../../src/proxy/upstream/open.ts";
import type { Upstream } from "../../src/proxy/upstream/port.ts";
import { type CutoverState, initialState, type Side } from "../../src/state/rules/model.ts";
import { createFixture } from "./exchange-fixture.ts";
import { engineNames } from "./proxy.ts";
import type { ScriptedSides } from "./scripted-sides.ts";
import { turn } from "./until.ts";
import { wayTo } from "./ways.ts";

/** Where nobody listens: a port of the system's own. */
const closedPort = "http://127.0.0.1:1";

const cutover = {
  routes: [
    { name: "cart", path: "/cart/*" },
    { name: "checkout", path: "/checkout", methods: ["POST"], journey: "start" },
    { name: "pay", path: "/orders/:orderId/pay", methods: ["POST"], journey: "end", unknown: "retry" },
    { name: "order", path: "/orders/:orderId", methods: ["GET"] },
    { name: "callback", path: "/callbacks/payment", methods: ["POST"], unknown: "retry" },
    { name: "track", path: "/track" },
  ],
  owners: [
    { key: "header:idempotency-key", ttl: "30d" },
    {
      key: ["param:orderId", "json:/order_id", "form:order_id", "query:order"],
      learn: ["json:/orderId", "header:location"],
      ttl: "30d",
    },
  ],
};

export interface Asked {
  readonly method: string;
  readonly target: string;
  readonly fields: readonly string[];
  readonly body: string | undefined;
}

export interface Told {
  /** Absent where the connection ended without a head. */
  readonly status: number | undefined;
  readonly cookie: string | undefined;
}

export type SlipsFleet = Awaited<ReturnType<typeof startSlipsFleet>>;

export async function startSlipsFleet(sides: ScriptedSides) {
  const time = { ms: 0 };
  const instances = await Promise.all(engineNames.map((engine) => startInstance(engine, sides)));
  const listeners = new Set<(cutover: string, key: NamedKey, side: Side) => void>();
  const watching: (() => void)[] = [];
  let stores: OwnershipStores | undefined;
  let isUp = true;
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });

  const reach = async <T>(work: (from: OwnershipStores) => Promise<T>): Promise<T> => {
    if (!isUp || stores === undefined) throw new StoreUnavailable("away");
    return work(stores);
  };
  /** What a store of one process does not announce, all being known where it is known. */
  const announce = (name: string, key: NamedKey, side: Side) => {
    if (stores?.watch === undefined) for (const hear of listeners) hear(name, key, side);
  };
  const owners: OwnershipStores["owners"] = {
    lookup: (...args) => reach((from) => from.owners.lookup(...args)),
    record: (name, key, side, ttlMs, late, token) =>
      reach(async (from) => {
        const before = await from.owners.record(name, key, side, ttlMs, late, token);
        if (before === undefined && token === undefined) announce(name, key, side);
        return before;
      }),
    settle: (name, key, token, isKept) =>
      reach(async (from) => {
        await from.owners.settle(name, key, token, isKept);
        const [side] = isKept ? await from.owners.lookup(name, [key]) : [];
        if (side !== undefined) announce(name, key, side);
      }),
    release: (...args) => reach((from) => from.owners.release(...args)),
  };
  const pins: OwnershipStores["pins"] = {
    find: (...args) => reach((from) => from.pins.find(...args)),
    reserve: (...args) => reach((from) => from.pins.reserve(...args)),
    release: (...args) => reach((from) => from.pins.release(...args)),
    start: (...args) => reach((from) => from.pins.start(...args)),
    keep: (...args) => reach((from) => from.pins.keep(...args)),
    tie: (...args) => reach((from) => from.pins.tie(...args)),
    end: (...args) => reach((from) => from.pins.end(...args)),
  };

  return {
    time,
    isUp: () => isUp,
    /** Both instances begin anew, knowing nothing. @param over an empty place */
    begin(over: OwnershipStores, atMs: number): void {
      listeners.clear();
      stores = over;
      isUp = true;
      time.ms = atMs;
      for (const stop of watching.splice(0)) stop();
      const watch: OwnershipStores["watch"] = (hear) => {
        const stop = over.watch?.(hear);
        if (stop === undefined) listeners.add(hear);
        else watching.push(stop);
        return () => {};
      };
      for (const instance of instances) instance.begin({ cutover, owners, pins, watch });
      this.set(initialState(), 0);
    },
    set(state: CutoverState, passMs: number): void {
      time.ms += passMs;
      for (const { fixture } of instances) {
        fixture().set(state);
        fixture().time.ms = time.ms;
      }
    },
    /** What waited in the spools is handed in when it is back. */
    async toggleStore(): Promise<void> {
      isUp = !isUp;
      if (!isUp) return;
      for (const { fixture } of instances)
        for (const late of fixture().spooled.splice(0))
          await owners.record(late.cutover, late, late.side, late.until - time.ms, true);
    },
    /** Sends one request and takes the whole answer. */
    async ask(at: number, asked: Asked): Promise<Told> {
      const port = instances[at % instances.length]?.port ?? 0;
      const told = await sent(agent, port, asked);
      // What follows the answer's end on the proxy's side is done, as far as a store in this process goes.
      for (let i = 0; i < 3; i++) await turn();
      return told;
    },
    async close(): Promise<void> {
      agent.destroy();
      await Promise.all(instances.map(({ close }) => close()));
    },
  };
}

async function startInstance(engine: (typeof engineNames)[number], sides: ScriptedSides) {
  const open = (name: string, url: string) => {
    const { upstreams } = configSchema.parse({ upstreams: { at: { url } }, default: "at" });
    if (upstreams.at === undefined) throw new Error("no upstream");
    return openTransports(engine, name, upstreams.at).engine;
  };
  const opened: Upstream[] = [];
  const wayOf = (name: string, url: string) => {
    const [alive, dead] = [open(name, url), open(name, closedPort)];
    opened.push(alive, dead);
    return wayTo({
      name,
      forward(request, sink) {
        const at = request.fields.findIndex((field, i) => i % 2 === 0 && field.toLowerCase() === "x-script");
        return (sides.isRefused(request.fields[at + 1] ?? "") ? dead : alive).forward(request, sink);
      },
      close: async () => {},
    });
  };
  const ways = { old: wayOf("old", sides.url.legacy), fresh: wayOf("fresh", sides.url.new) };
  let fixture: ReturnType<typeof createFixture> | undefined;
  const faults: unknown[] = [];
  const now = () => {
    if (faults.length > 0) throw new Error("a fault of the proxy's own", { cause: faults[0] });
    if (fixture === undefined) throw new Error("no case has begun");
    return fixture;
  };
  const server = createProxyServer({
    exchange: (inbound) => now().exchange(inbound),
    proxyName: "cutover-test",
    maxConnections: () => 1000,
    headLimits: () => now().context.table.headLimits,
    connections: { opened() {}, closed() {}, refused() {}, headerRefused() {} },
    onRefused: () => {},
    tls: undefined,
    onFault: (error) => faults.push(error),
  });
  const port = await server.listen({ host: "127.0.0.1", port: 0 });
  return {
    port,
    fixture: now,
    begin(options: Parameters<typeof createFixture>[0]): void {
      fixture = createFixture({ ...options, ways });
    },
    async close() {
      await server.close(0, 0);
      await Promise.all(opened.map((each) => each.close()));
    },
  };
}

function sent(agent: Agent, port: number, { method, target, fields, body }: Asked): Promise<Told> {
  return new Promise((resolve) => {
    const request = send({ agent, port, host: "127.0.0.1", method, path: target, headers: [...fields] });
    request.once("error", () => resolve({ status: undefined, cookie: undefined }));
    request.once("response", (response) => {
      const cookies = response.headers["set-cookie"] ?? [];
      const cookie = cookies.find((text) => text.startsWith("cutover_journey="))?.split(";")[0];
      const end = () => resolve({ status: response.statusCode, cookie });
      response.once("error", end).once("end", end).once("close", end).resume();
    });
    request.end(body);
  });
}
