/** Requests and changes of many spellings, as plain data that fast-check can make, shrink and print. */
import fc from "fast-check";
import type { Change } from "../../src/state/rules/model.ts";
import {
  answer,
  answered,
  host,
  index,
  orderIds,
  orderIndex,
  pickedFrom,
  type Scripted,
  type Spell,
  spellings,
} from "./slips-answers.ts";
import type { Asked } from "./slips-fleet.ts";
import type { Person, Question } from "./slips-model.ts";

/** Of keys of requests one is an order's number. */
export const keys = ["k1", "k2", "7"] as const;

interface Form {
  readonly method: string;
  readonly target: (order: string) => string;
  readonly is: Pick<Question, "on" | "journey" | "retries">;
  /** Whether the target names the order. */
  readonly names: boolean;
  readonly fields?: readonly string[];
  /** A body that names an order. */
  readonly body?: (
    order: string,
    spell: Spell,
  ) => { readonly type: string | undefined; readonly text: string };
}

const route = { on: "route", journey: undefined, retries: false } as const;
const start = { on: "route", journey: "start", retries: false } as const;
const pays = { on: "route", journey: "end", retries: true } as const;
const elsewhere = { on: "elsewhere", journey: undefined, retries: false } as const;
const refused = { on: "refused", journey: undefined, retries: false } as const;

const json = (text: string) => ({ type: "application/json", text });
const quoted = (order: string) => JSON.stringify({ order_id: order });
const multipart = (order: string) => ({
  type: "multipart/form-data; boundary=b0",
  text: `--b0\r\nContent-Disposition: form-data; name="order_id"\r\n\r\n${order}\r\n--b0--\r\n`,
});

const at = (method: string, is: Form["is"], ...paths: readonly string[]): Form[] =>
  paths.map((path) => ({
    method,
    is,
    names: path.includes("ORDER"),
    target: (order) => path.replace("ORDER", order),
  }));
const preflight = (wanted: string, path: string): Form[] =>
  at("OPTIONS", { ...route, retries: path.endsWith("/pay") }, path).map((form) => ({
    ...form,
    fields: ["Origin", "https://shop.example", "Access-Control-Request-Method", wanted],
  }));
const callback = (body: Form["body"]): Form => ({
  method: "POST",
  is: { on: "route", journey: undefined, retries: true },
  names: false,
  target: () => "/callbacks/payment",
  ...(body !== undefined && { body }),
});

export const forms = {
  cart: [
    ...at("GET", route, "/cart/1", "/c%61rt/1", "/cart/1/"),
    ...at("HEAD", route, "/cart/1"),
    ...at("POST", route, "/cart/1"),
  ],
  start: at(
    "POST",
    start,
    "/checkout",
    "/%63heckout",
    "/checkout/",
    "/checkout;v=1",
    "/checkout?order=ORDER",
  ),
  pay: at(
    "POST",
    pays,
    "/orders/ORDER/pay",
    "/orders/ORDER/p%61y",
    "/orders/ORDER/pay/",
    "/orders/ORDER;v=1/pay",
  ),
  /** A second order, which its answer may be about. */
  payTwo: at("POST", pays, "/orders/ORDER/pay").map((form) => ({
    ...form,
    body: (order: string) => json(quoted(order)),
  })),
  order: [...at("GET", route, "/orders/ORDER"), ...at("HEAD", route, "/orders/ORDER")],
  callback: [
    callback((order) => json(quoted(order))),
    callback((order) => json(`\ufeff${quoted(order)}`)),
    callback((order) => ({ type: "text/html", text: quoted(order) })),
    callback((order) => ({ type: undefined, text: `{"order_id":"x","order_id":${JSON.stringify(order)}}` })),
    callback((order, spell) => ({
      type: "application/x-www-form-urlencoded",
      text: `a=1&order_id=${spell(order)}`,
    })),
    callback(multipart),
  ],
  track: [...at("GET", route, "/track?order=ORDER"), ...at("POST", route, "/track?a=1&order=ORDER")],
  preflight: [
    ...preflight("POST", "/orders/ORDER/pay"),
    ...preflight("GET", "/orders/ORDER"),
    ...preflight("POST", "/checkout"),
  ],
  elsewhere: [
    ...at("GET", elsewhere, "/checkout", "//cart/1", "/Cart/1", "/cart%00", "/orders/ORDER/refund"),
    ...at("HEAD", elsewhere, "/checkout"),
    ...at("POST", elsewhere, "/orders/ORDER"),
  ],
  refused: [
    ...at(
      "POST",
      refused,
      "//checkout",
      "/Checkout",
      "/checkout%00",
      "/checkout%3f",
      "/x/../checkout",
      "/checkout%2f",
    ),
    ...at(
      "POST",
      refused,
      "//orders/ORDER/pay",
      "/orders/ORDER/Pay",
      "/orders/ORDER/pay%3Fx",
      "/orders%2FORDER/pay",
    ),
    ...at("GET", refused, "/x/../cart/1", "/cart%2f1", "/cart\\1"),
  ],
} satisfies Readonly<Record<string, readonly Form[]>>;

const ask = fc.record({
  form: fc.constantFrom(
    ...([
      "cart",
      "start",
      "start",
      "pay",
      "pay",
      "payTwo",
      "order",
      "callback",
      "track",
      "preflight",
      "elsewhere",
      "refused",
    ] as const),
  ),
  spelled: index,
  who: fc.nat(3),
  at: fc.nat(1),
  order: orderIndex,
  second: orderIndex,
  spelling: index,
  key: fc.option(fc.constantFrom(0, 0, 0, 1, 2), { freq: 2 }),
  answer,
});
export type Ask = typeof ask extends fc.Arbitrary<infer T> ? T : never;

const set = (percentThousandths: number): Change => ({ action: "set", percentThousandths });
const change = fc.constantFrom<Change>(
  ...[0, 50_000, 100_000, 100_000].map(set),
  { action: "rollback" },
  { action: "rollback_hard" },
  { action: "resume" },
  { action: "close" },
);
const passes = [1000, 6000, 31_000, 61_000, 1_860_000, 10_800_000, 14_400_000, 14_520_000];

/** @param canPass whether the store goes by the test's own time */
export function caseOf(canPass: boolean) {
  const step = fc.oneof(
    { weight: 9, arbitrary: fc.record({ kind: fc.constant("ask" as const), ask }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("change" as const), change }) },
    // The answer to the first waits until the second, and a change before it, are over.
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant("during" as const),
        ask,
        change: fc.option(change, { freq: 2 }),
        other: ask,
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("together" as const), asks: fc.tuple(ask, ask) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("store" as const) }) },
    ...(canPass
      ? [
          {
            weight: 2,
            arbitrary: fc.record({ kind: fc.constant("pass" as const), ms: fc.constantFrom(...passes) }),
          },
        ]
      : []),
  );
  return fc.array(step, { minLength: 3, maxLength: 8, size: "max" });
}
export type Step = ReturnType<typeof caseOf> extends fc.Arbitrary<readonly (infer T)[]> ? T : never;

export interface Made extends Scripted {
  readonly asked: Asked;
  readonly question: Question;
}

/** @param name of its script @param who that sends it: a preflight and a provider's callback are nobody's */
export function made(given: Ask, name: string, people: readonly Person[], nobody: Person): Made {
  const form: Form = pickedFrom<Form>(forms[given.form], given.spelled);
  const who =
    given.form === "preflight" || given.form === "callback" ? nobody : pickedFrom(people, given.who);
  const spell = pickedFrom(spellings, given.spelling);
  const [order, second] = [pickedFrom(orderIds, given.order), pickedFrom(orderIds, given.second)];
  const body = form.body?.(form.names ? second : order, spell);
  const orders = [
    ...(form.names ? [order] : []),
    ...(body === undefined ? [] : [form.names ? second : order]),
  ];
  const key = given.key === null || given.form === "preflight" ? undefined : pickedFrom(keys, given.key);
  const isPost = form.method === "POST";
  const text = body?.text ?? (isPost ? "{}" : undefined);
  const fields = [
    ...["Host", host, "X-Script", name],
    ...(who.kind === "app" ? ["X-Shopper-Id", who.id] : []),
    ...(who.kind === "browser" ? ["Cookie", [`sid=${who.id}`, who.cookie ?? []].flat().join("; ")] : []),
    ...(key === undefined ? [] : ["Idempotency-Key", key]),
    ...(form.fields ?? []),
    ...(body?.type === undefined ? [] : ["Content-Type", body.type]),
    ...(text === undefined ? [] : ["Content-Length", String(Buffer.byteLength(text))]),
  ];
  const { script, teaches, order: told } = answered(given.answer);
  const isLearning = form.is.journey !== undefined;
  return {
    asked: { method: form.method, target: form.target(spell(order)), fields, body: text },
    question: { ...form.is, who, isUnsafe: isPost, key, orders },
    script,
    order: told,
    teaches: isLearning ? teaches.filter((taught) => !orders.includes(taught.order)) : [],
  };
}
