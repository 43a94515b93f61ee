/** Which witnesses a route has, and what those of ownership pass on. */
import { expect, test } from "vitest";
import { configSchema } from "../../../src/config/schema.ts";
import { keysWitness } from "../../../src/instance/plane/keys-witness.ts";
import { createLastingWitnesses, witnessesFor } from "../../../src/instance/witnesses.ts";
import type { Outcome } from "../../../src/proxy/outcome.ts";
import { compileTable } from "../../../src/proxy/routes.ts";
import { unreachableWays } from "../../../src/proxy/upstream/open.ts";
import type { Witness } from "../../../src/proxy/witness.ts";
import { recordOf } from "../../support/exchange-record.ts";
import { createManualTime } from "../../support/manual-time.ts";

function create() {
  const told: string[] = [];
  const say = (what: string) => () => void told.push(what);
  const lasting = createLastingWitnesses(
    { settled: say("logged") },
    {
      opened(cutover, side) {
        told.push(`upgraded ${cutover} ${side}`);
        return (end) => told.push(`ended ${end}`);
      },
    },
    {
      ignoredPin: (cutover, fault) => told.push(`ignored pin ${cutover} ${fault}`),
      missingCookie: (cutover, keepsNone) => told.push(`missing cookie ${cutover} ${keepsNone}`),
      unreadBody: (cutover) => told.push(`unread body ${cutover}`),
      longKey: (cutover) => told.push(`long key ${cutover}`),
      nearPath: (cutover) => told.push(`near path ${cutover}`),
      unreadChoice: (cutover) => told.push(`unread choice ${cutover}`),
      unknownDocument: (cutover) => told.push(`unknown document ${cutover}`),
      unreadAmount: (cutover) => told.push(`unread amount ${cutover}`),
    },
    {
      seen: (cutover, { id }, event) => told.push(`${event} ${cutover} ${id}`),
      finished: (cutover, key) => told.push(`finished ${cutover} ${key}`),
    },
    (cutover, side, why) => told.push(`unread answer ${cutover} ${side} ${why}`),
    keysWitness(
      {
        began: (_, cutover, keys) => told.push(`sent ${cutover} ${keys.map(({ key }) => key).join()}`),
        ended: (_, isAnswered) => told.push(isAnswered ? "answered" : "in doubt"),
      },
      {
        sent(_, { side, isSafe }) {
          told.push(`sent to ${side}${isSafe ? ", safe" : ""}`);
          return undefined;
        },
        ended: (_, { keys }, end, made) =>
          told.push(`${end}: ${[...keys, ...made].map(({ key }) => key).join()}`),
      },
      createManualTime(),
    ),
    async (cutover, keys, side) =>
      void told.push(`released ${cutover} ${keys.map(({ key }) => key).join()} ${side}`),
    { asked: (cutover, side, isFound) => told.push(`asked ${side} of ${cutover} ${isFound}`) },
    (cutover, key) => told.push(`paid on new ${cutover} ${key}`),
  );
  const last: Witness = { settled: say("over") };
  const row = {
    decided: say("decided"),
    began: say("began"),
    answered: say("head"),
    settled: say("counted"),
    journeyed: (step: string) => void told.push(`${step} counted`),
  };
  return { told, lasting, witnessesOf: witnessesFor(lasting, { row: () => row }, last) };
}

const pay = { path: "/orders/:orderId/pay", methods: ["POST"], payment: true };

function tableOf(cutover: Readonly<Record<string, unknown>>) {
  const config = configSchema.parse({
    upstreams: { old: { url: "http://127.0.0.1:1" }, fresh: { url: "http://127.0.0.1:2" } },
    default: "old",
    cutovers: {
      checkout: {
        legacy: "old",
        new: "fresh",
        shopper: ["header:x-shopper-id"],
        routes: [
          { name: "cart", path: "/cart/*" },
          { name: "pay", ...pay },
        ],
        ...cutover,
      },
    },
  });
  return compileTable(config, unreachableWays(config), { of: () => [] }, create().witnessesOf);
}

test("only routes that finish orders have the witness of orders, and only cutovers with journeys that of journeys", () => {
  const phases = (cutover: Readonly<Record<string, unknown>>, path: string) => {
    const { router } = tableOf(cutover);
    const witnesses = router.match("POST", path)?.value.witnesses;
    return { journeys: witnesses?.journeyed.length, orders: witnesses?.finished.length };
  };
  const owners = [{ key: "param:orderId", learn: ["json:/orderId"] }];
  const journey = { cookie: "j", secret: "s3cret" };
  expect(phases({}, "/orders/1/pay")).toEqual({ journeys: 0, orders: 0 });
  expect(phases({ journey }, "/cart/1")).toEqual({ journeys: 2, orders: 0 });
  expect(phases({ owners }, "/cart/1")).toEqual({ journeys: 0, orders: 0 });
  expect(phases({ owners }, "/orders/1/pay")).toEqual({ journeys: 0, orders: 1 });
});

test("what matches no route has no witness but those of every exchange", () => {
  const { fallthrough } = tableOf({ journey: { cookie: "j", secret: "s3cret" } });
  const { arrived, noticed, decided, journeyed, answered, upgraded, settled } = fallthrough.witnesses;
  expect([noticed, decided, journeyed, answered].flat()).toEqual([]);
  expect([arrived.length, upgraded.length, settled.length]).toEqual([1, 1, 3]);
});

test("the last is told last of an end: what was counted and logged is so by then", () => {
  const { told, witnessesOf } = create();
  for (const { settled } of witnessesOf(undefined)) settled?.(recordOf(), "ok");
  expect(told).toEqual(["counted", "logged", "over"]);
});

test("orders are finished, and no request that is named by its key, nor a cart", () => {
  const { told, lasting } = create();
  const keys = [
    { key: "k1", ttlMs: 1, claimed: true },
    { key: "X-1", ttlMs: 1, claimed: false },
    { key: "C-1", ttlMs: 1, claimed: false, what: "cart" },
  ] as const;
  lasting.orders.finished?.(recordOf(), keys);
  expect(told).toEqual(["finished checkout X-1"]);
});

test("an order that an answer of new finishes is at risk no more; of legacy none was", () => {
  const { told, lasting } = create();
  const keys = [{ key: "X-1", ttlMs: 1, claimed: false }];
  lasting.orders.finished?.(recordOf({ side: "new" }), keys);
  lasting.orders.finished?.(recordOf({ side: "legacy" }), keys);
  expect(told).toEqual(["finished checkout X-1", "paid on new checkout X-1", "finished checkout X-1"]);
});

test("carts are released by the side that finished their orders: no order, no claim, and none that tells its side", () => {
  const { told, lasting } = create();
  const plain = { ttlMs: 1, claimed: false } as const;
  const order = { ...plain, key: "X-1" };
  const carts = ["C-1", "C-2"].map((key) => ({ ...plain, key, what: "cart" as const }));
  const others = [
    { ...plain, key: "S-1", what: "other" },
    { ...plain, key: "new-1", what: "cart", side: "new" },
    { ...plain, key: "k1", what: "cart", claimed: true },
  ] as const;
  lasting.carts.finished?.(recordOf({ side: "new" }), [order, ...carts, ...others]);
  lasting.carts.finished?.(recordOf({ side: "new" }), [order, ...others]);
  expect(told).toEqual(["released checkout C-1,C-2 new"]);
});

test("only routes that finish orders have the witness of carts, where carts are told of and journeys hold what is late", () => {
  const finished = (cutover: Readonly<Record<string, unknown>>, path: string) =>
    tableOf(cutover).router.match("POST", path)?.value.witnesses.finished.length;
  const journey = { cookie: "j", secret: "s3cret" };
  const cart = { key: "header:x-cart", learn: ["json:/cart"], what: "cart" };
  const order = { key: "param:orderId", learn: ["json:/orderId"] };
  expect(finished({ journey, owners: [cart] }, "/orders/1/pay")).toBe(1);
  expect(finished({ journey, owners: [cart, order] }, "/orders/1/pay")).toBe(2);
  expect(finished({ journey, owners: [cart] }, "/cart/1")).toBe(0);
  expect(finished({ owners: [cart] }, "/orders/1/pay")).toBe(0);
});

test("journeys, upgrades and what is odd are told of with their cutover", () => {
  const { told, lasting } = create();
  const record = recordOf({ side: "new" });
  const pin = { id: "abc", side: "new", epoch: 0, startedAt: 1, expiresAt: 2 } as const;
  lasting.journeys.journeyed?.(record, pin, "start");
  lasting.upgrades.upgraded?.(record)("idle");
  lasting.notices.noticed?.(record, { kind: "ignored_pin", fault: "expired" });
  lasting.notices.noticed?.(record, { kind: "missing_cookie", keepsNone: true });
  lasting.notices.noticed?.(record, { kind: "unread_body" });
  lasting.notices.noticed?.(record, { kind: "long_key" });
  lasting.notices.noticed?.(record, { kind: "unread_answer", why: "coding" });
  expect(told).toEqual([
    "start checkout abc",
    "upgraded checkout new",
    "ended idle",
    "ignored pin checkout expired",
    "missing cookie checkout true",
    "unread body checkout",
    "long key checkout",
    "unread answer checkout new coding",
  ]);
});

test("the keys of a request are in use until it ends, and in doubt when nobody knows what it has done", () => {
  const ended = (outcome: Outcome) => {
    const { told, lasting } = create();
    lasting.keys.settled?.(recordOf(), outcome);
    return told[0];
  };
  const doubtful: readonly Outcome[] = ["timeout", "reset", "protocol_error", "gave_up", "client_aborted"];
  expect(doubtful.map(ended)).toEqual(doubtful.map(() => "in doubt"));
  const known: readonly Outcome[] = ["ok", "server_error", "connect_failed", "failed", "shed", "rejected"];
  expect(known.map(ended)).toEqual(known.map(() => "answered"));
  const routes = (owners: readonly unknown[]) => {
    return tableOf({ owners }).router.match("POST", "/cart/1")?.value.witnesses.decided.length;
  };
  expect((routes([{ key: "header:x" }]) ?? 0) - (routes([]) ?? 0)).toBe(1);
});
