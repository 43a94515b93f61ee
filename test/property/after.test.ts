/**
 * Random histories of cutovers that go one after another: cohorts and a list, links through logins, visits and journeys,
 * walks of every percent, rollbacks, resumes, time that passes. Whoever begins on new in payment is on new in cart, by the
 * same request and the same snapshot; a raise of any percent moves nobody back; and an order has one side.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { CutoverState, Side } from "../../src/state/rules/model.ts";
import { type Browser, createBrowsers } from "../support/browsers.ts";

const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
const runs = Number(process.env.RUNS ?? 25);

const accounts = ["ann", "bob", "cy"];
const which = fc.nat(4);
const cutover = fc.constantFrom("cart" as const, "checkout" as const);
const by = fc.integer({ min: 1, max: 60_000 });
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("visit" as const),
      which,
      at: fc.constantFrom("GET /basket/1", "POST /baskets", "GET /cart/1", "POST /checkout"),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("pay" as const), which, order: fc.nat(20) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("login" as const),
      which,
      account: fc.constantFrom(...accounts),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("logout" as const), which }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constantFrom("raise" as const, "lower" as const),
      cutover,
      ofCohort: fc.boolean(),
      by,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constantFrom("rollback" as const, "hard" as const), cutover }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("resume" as const), cutover }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("pass" as const),
      ms: fc.constantFrom(1000, 60_000, 1_801_000, 15_000_000, 90_000_000),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

const region = (name: string) => ({ header: "x-region", in: [name] });
const jakarta = { name: "jakarta", when: region("ID-JK"), percent: 0 };
const staff = { name: "staff", when: { list: "staff" }, side: "new" };
const my = { name: "my", when: region("MY"), side: "legacy" };
const regions = [undefined, "ID-JK", "MY", "ID-JK", undefined];

interface Shape {
  readonly visits: boolean;
  readonly links: boolean;
  /** Which cohorts each has; what one of them lacks the other may have. */
  readonly ofCart: readonly object[];
  readonly ofCheckout: readonly object[];
}

function createModel({ visits, links, ofCart, ofCheckout }: Shape) {
  const visit = (cookie: string) => (visits ? { visit: { cookie, for: "30m" } } : {});
  const people = createBrowsers({
    lists: { staff: ["ann"] },
    cutover: { group: "shop", after: "cart", cohorts: ofCheckout, ...visit("checkout_visit") },
    others: {
      cart: {
        group: "shop",
        shopper: ["cookie:account", "visitor"],
        cohorts: ofCart,
        ...visit("cart_visit"),
        ...(links ? { identity: { link: { cookie: "cart_link", for: "24h" } } } : {}),
        journey: { cookie: "cart_journey", secret: "s3cret" },
        routes: [
          { name: "basket", path: "/basket/*" },
          { name: "begin", path: "/baskets", methods: ["POST"], journey: "start" },
        ],
        owners: [],
      },
    },
  });
  const { fixture, browse } = people;
  // Each has a name before the first step: who has none is somebody else with each request.
  const browsers: Browser[] = regions.map((name, at) => ({
    account: undefined,
    jar: new Map([["cutover_visitor", `visitor-${at}-of-the-shop-`]]),
    fields: name === undefined ? [] : ["X-Region", name],
  }));
  const orders: Side[] = [];
  const states = new Map<string, Partial<CutoverState>>();
  let version = 0;
  const standing = (name: string) => states.get(name) ?? {};
  function change(name: string, next: Partial<CutoverState>): void {
    version += 1;
    const updatedAt = new Date(fixture.time.ms).toISOString();
    const state = { ...standing(name), ...next, version, updatedAt };
    states.set(name, state);
    fixture.set(state, name);
  }

  /** What another request of the browser would be answered, which keeps nothing of the answer. */
  const probe = async ({ jar, ...rest }: Browser, path: string) =>
    browse({ ...rest, jar: new Map(jar) }, "GET", path);

  /** @returns how each begins in each cutover */
  async function look(): Promise<string[]> {
    const seen: string[] = [];
    for (const browser of browsers) {
      const pay = await probe(browser, "/cart/1");
      const cart = await probe(browser, "/basket/1");
      if (pay.side === "new" && pay.reason !== "journey") {
        expect([pay.reason, cart.side], `cart is on ${cart.side} by ${cart.reason}`).toEqual([
          pay.reason,
          "new",
        ]);
      }
      seen.push(pay.side, cart.side);
    }
    return seen;
  }

  return {
    look,
    async take(one: Step): Promise<void> {
      const browser = "which" in one ? browsers[one.which] : undefined;
      switch (one.kind) {
        case "visit": {
          const [method = "", path = ""] = one.at.split(" ");
          if (browser === undefined) return;
          const made = path === "/checkout" ? ["Location", `/orders/${orders.length}`] : [];
          const { side } = await browse(browser, method, path, made);
          if (path === "/checkout") orders.push(side);
          return;
        }
        case "pay": {
          const side = orders[one.order];
          if (browser === undefined || side === undefined) return;
          expect((await browse(browser, "POST", `/orders/${one.order}/pay`)).side).toBe(side);
          return;
        }
        case "login":
          if (browser) browser.account = one.account;
          return;
        case "logout":
          if (browser) browser.account = undefined;
          return;
        case "raise":
        case "lower": {
          const { state = "open", percentThousandths = 0, cohorts = {} } = standing(one.cutover);
          if (state === "rolled_back") return;
          const before = await look();
          const by = one.kind === "raise" ? one.by : -one.by;
          const moved = (from: number) => Math.min(100_000, Math.max(0, from + by));
          change(
            one.cutover,
            one.ofCohort
              ? { cohorts: { ...cohorts, jakarta: moved(cohorts.jakarta ?? 0) } }
              : { percentThousandths: moved(percentThousandths) },
          );
          const after = await look();
          if (one.kind === "lower") return;
          expect(before.filter((side, at) => side === "new" && after[at] === "legacy")).toEqual([]);
          return;
        }
        case "rollback":
        case "hard": {
          const { pinEpoch = 0 } = standing(one.cutover);
          const epoch = one.kind === "hard" ? pinEpoch + 1 : pinEpoch;
          const rolledBack = {
            state: "rolled_back",
            percentThousandths: 0,
            cohorts: {},
            pinEpoch: epoch,
          } as const;
          change(one.cutover, rolledBack);
          return;
        }
        case "resume":
          change(one.cutover, { state: "open" });
          return;
        case "pass":
          fixture.time.ms += one.ms;
      }
    },
  };
}

const shape: fc.Arbitrary<Shape> = fc.record({
  visits: fc.boolean(),
  links: fc.boolean(),
  ofCart: fc.shuffledSubarray<object>([staff, my, jakarta]),
  ofCheckout: fc.shuffledSubarray<object>([staff, my, jakarta]),
});

test(`payment on new implies cart on new, and no raise moves anybody back (SEED=${seed})`, async () => {
  await fc.assert(
    fc.asyncProperty(
      shape,
      fc.array(step, { minLength: 5, maxLength: 40, size: "max" }),
      async (of, steps) => {
        const model = createModel(of);
        for (const one of steps) {
          await model.take(one);
          await model.look();
        }
      },
    ),
    { seed, numRuns: runs },
  );
}, 300_000);
