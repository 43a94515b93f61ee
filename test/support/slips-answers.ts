/** Answers of many kinds, and what an order is called in them, as plain data that fast-check can make, shrink and print. */
import fc from "fast-check";
import type { Script } from "./scripted-sides.ts";
import type { Answered } from "./slips-model.ts";

export const host = "shop.example";
/** Orders by numbers that a path, a query, a form and JSON spell differently. */
export const orderIds: readonly string[] = ["7", "2026:1001", "A B-3", "ü4", "100%5", "a+b", "x;6"];

export type Spell = (id: string) => string;
const percent = (id: string, isLower: boolean): string =>
  [...Buffer.from(id)]
    .map((byte) => `%${byte.toString(16).padStart(2, "0")}`)
    .map((text) => (isLower ? text : text.toUpperCase()))
    .join("");
export const spellings: readonly Spell[] = [
  (id) => encodeURIComponent(id),
  (id) => encodeURIComponent(id).replaceAll("%3A", ":"),
  (id) => percent(id, false),
  (id) => percent(id, true),
];

type Verdict = "own" | "foreign" | "odd";
/** Where an answer leads to, and whether that tells of an order made here. */
const locations: readonly (readonly [Verdict, string])[] = [
  ["own", "/orders/ORDER"],
  ["own", "/orders/ORDER/thanks"],
  ["own", `http://${host}/orders/ORDER?next=/orders/other`],
  ["own", `HTTP://SHOP.EXAMPLE:8080/orders/ORDER`],
  ["own", `//${host}/orders/ORDER#pay`],
  ["foreign", "http://evil.example/orders/ORDER"],
  ["foreign", "//evil.example/orders/ORDER"],
  ["foreign", `http://${host}@evil.example/orders/ORDER`],
  ["foreign", `http://${host}.evil.example/orders/ORDER`],
  ["foreign", "/\\evil.example/orders/ORDER"],
  ["foreign", "http:/\\evil.example/orders/ORDER"],
  ["foreign", "/login?next=/orders/ORDER"],
  ["foreign", "/login#/orders/ORDER"],
  ["foreign", "/ordersx/ORDER"],
  ["foreign", "/x/orders/ORDER"],
  ["foreign", "/orders/"],
  ["foreign", "mailto:/orders/ORDER"],
  ["odd", "orders/ORDER"],
  ["odd", "/./orders/ORDER"],
  ["odd", "/orders//ORDER"],
  ["odd", "/%6Frders/ORDER"],
  ["odd", "/Orders/ORDER"],
];

const bodies: readonly ((order: string) => {
  readonly type: string | undefined;
  readonly text: string;
  readonly teaches: boolean;
})[] = [
  (order) => ({ type: "application/json", text: JSON.stringify({ orderId: order }), teaches: true }),
  (order) => ({ type: "text/html", text: JSON.stringify({ orderId: order }), teaches: true }),
  (order) => ({ type: undefined, text: `\ufeff ${JSON.stringify({ orderId: order })}`, teaches: true }),
  (order) => ({
    type: "application/json",
    text: `{"orderId":"x","orderId":${JSON.stringify(order)}}`,
    teaches: true,
  }),
  (order) => ({
    type: "application/json",
    text: JSON.stringify({ next: { orderId: order } }),
    teaches: false,
  }),
  (order) => ({ type: "application/json", text: JSON.stringify({ order_id: order }), teaches: false }),
  (order) => ({ type: "text/html", text: `<a href="/orders/${encodeURIComponent(order)}">`, teaches: false }),
];

export const index = fc.nat(20);
/** Few orders, so that most requests and answers of a case are about the same. */
export const orderIndex = fc.oneof({ weight: 4, arbitrary: fc.constant(1) }, { weight: 3, arbitrary: index });
export const pickedFrom = <T>(list: readonly T[], i: number): T => {
  const picked = list[i % list.length];
  if (picked === undefined) throw new Error("an empty list");
  return picked;
};

export const answer = fc.record({
  status: fc.constantFrom(200, 201, 201, 201, 204, 303, 303, 302, 400, 409, 422, 500, 503),
  breaks: fc.oneof(
    { weight: 7, arbitrary: fc.constant("never" as const) },
    { weight: 3, arbitrary: fc.constantFrom("before the head", "after the head", "refused") },
  ),
  order: orderIndex,
  spelling: index,
  body: fc.option(index, { freq: 3 }),
  location: fc.option(index, { freq: 2 }),
});

type Given = typeof answer extends fc.Arbitrary<infer T> ? T : never;

export interface Scripted {
  readonly script: Script;
  /** That it may name. */
  readonly order: string;
  readonly teaches: Answered["teaches"];
}

/** The answer as an upstream gives it, and the orders that it tells of. */
export function answered(given: Given): Scripted {
  const { status, breaks } = given;
  const order = pickedFrom(orderIds, given.order);
  const body = given.body === null ? undefined : pickedFrom(bodies, given.body)(order);
  const [verdict, location] = given.location === null ? [] : pickedFrom(locations, given.location);
  const spelled = location?.replace("ORDER", pickedFrom(spellings, given.spelling)(order));
  const fields = [
    ...(spelled === undefined ? [] : ["Location", spelled]),
    ...(body?.type === undefined ? [] : ["Content-Type", body.type]),
  ];
  const script: Script = { status, fields, body: body?.text ?? "ok", breaks };
  if (status >= 400 || breaks === "before the head" || breaks === "refused")
    return { script, order, teaches: [] };
  const byBody = body?.teaches === true && status !== 204 && breaks === "never";
  const byLocation = verdict === "own" || verdict === "odd";
  if (!byBody && !byLocation) return { script, order, teaches: [] };
  return { script, order, teaches: [{ order, surely: byBody || (verdict === "own" && breaks === "never") }] };
}
