/** What is counted as under way, by the configuration and the states in force. */
import { expect, test } from "vitest";
import { configSchema } from "../../../src/config/schema.ts";
import { questionsUnderWay } from "../../../src/instance/plane/questions.ts";
import { initialState } from "../../../src/state/rules/model.ts";

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
    // The one route that finishes an order cannot name it, nor can its answers.
    nameless: {
      ...base,
      routes: [
        { ...pay("/n/pay"), learns: false },
        { name: "order", path: "/n/orders/:id", learns: true },
      ],
      owners: [{ key: "param:id", learn: ["json:/id"] }],
    },
    answered: {
      ...base,
      routes: [pay("/a/pay"), { name: "order", path: "/a/orders/:id" }],
      owners: [{ key: "param:id", learn: ["json:/id"] }],
    },
    carts: {
      ...base,
      routes: [pay("/c/pay")],
      owners: [{ key: "json:/id", learn: ["json:/id"], what: "cart" }],
    },
    endless: {
      ...base,
      routes: [{ name: "all", path: "/e/*" }],
      owners: [{ key: "header:x-order", learn: ["json:/id"] }],
    },
  },
});

test("of each cutover is counted what its configuration lets it know", () => {
  const asked = questionsUnderWay(config, { states: new Map() }).map(({ kind, cutover }) => [cutover, kind]);
  expect(asked).toEqual([
    ["both", "journeys"],
    ["both", "orders"],
    ["journeys", "journeys"],
    ["orders", "orders"],
    ["answered", "orders"],
  ]);
});

test("journeys are counted under the epoch in force, orders under none", () => {
  const states = new Map([["both", { ...initialState(), pinEpoch: 2 }]]);
  const epochs = questionsUnderWay(config, { states }).map(({ kind, cutover, epoch }) => {
    return `${cutover} ${kind} ${epoch}`;
  });
  expect(epochs).toEqual([
    "both journeys 2",
    "both orders 0",
    "journeys journeys 0",
    "orders orders 0",
    "answered orders 0",
  ]);
});
