/**
 * Random histories of browsers in front of two cutovers of one group, with logins and logouts: whichever of them has the
 * link, and in whichever a browser is seen first, a shopper has one bucket in both, and a login keeps it unless the account
 * has one already.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Browser, createBrowsers } from "../support/browsers.ts";

const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
const runs = Number(process.env.RUNS ?? 60);

const paths = ["/basket/1", "/cart/1"] as const;
const which = fc.nat(3);
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant("browse"), which, path: fc.constantFrom(...paths) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom("ann", "bob", "cy"),
      which,
      path: fc.constantFrom(...paths),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("logout"), which, path: fc.constantFrom(...paths) }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

interface Shape {
  readonly linkOf: "cart" | "checkout" | "both";
  readonly visits: boolean;
  /** Whether checkout goes after cart, too. */
  readonly isAfter: boolean;
}

function createModel({ linkOf, visits, isAfter }: Shape) {
  let decidedBy: number | undefined;
  const more = (name: "cart" | "checkout") => ({
    ...(visits && { visit: { cookie: `${name}_visit` } }),
    ...((linkOf === name || linkOf === "both") && {
      identity: { link: { cookie: `${name}_link`, for: "24h" } },
    }),
  });
  const { open, browse } = createBrowsers({
    cutover: { group: "shop", ...(isAfter && { after: "cart" }), ...more("checkout") },
    others: {
      cart: {
        group: "shop",
        shopper: ["cookie:account", "visitor"],
        journey: { cookie: "cart_journey", secret: "s3cret" },
        routes: [{ name: "basket", path: "/basket/*" }],
        owners: [],
        ...more("cart"),
      },
    },
    witness: {
      decided(record) {
        decidedBy = record.decided?.bucket;
      },
    },
  });
  const people = Array.from({ length: 4 }, () => ({
    browser: open(),
    bucket: undefined as number | undefined,
  }));
  const accounts = new Map<string, number>();

  async function bucketAt(browser: Browser, path: string): Promise<number> {
    await browse(browser, "GET", path);
    if (decidedBy === undefined) throw new Error("decided by no bucket");
    return decidedBy;
  }

  return async ({ kind, which: at, path }: Step): Promise<void> => {
    const person = people[at];
    if (person === undefined) return;
    const { browser } = person;
    if (kind === "logout") browser.account = undefined;
    else if (kind !== "browse") browser.account = kind;
    const { account } = browser;
    const must = (account === undefined ? undefined : accounts.get(account)) ?? person.bucket;
    const other = paths.find((each) => each !== path) ?? path;
    const [here, there] = [await bucketAt(browser, path), await bucketAt(browser, other)];
    expect({ kind, path, here, there }).toEqual({ kind, path, here, there: here });
    if (must !== undefined) expect({ kind, path, here }).toEqual({ kind, path, here: must });
    person.bucket = here;
    if (account !== undefined) accounts.set(account, here);
  };
}

const shape = fc.record<Shape>({
  linkOf: fc.constantFrom("cart", "checkout", "both"),
  visits: fc.boolean(),
  isAfter: fc.constant(false),
});
/** What goes after another has no link of its own. */
const after = fc.record<Shape>({
  linkOf: fc.constant("cart"),
  visits: fc.boolean(),
  isAfter: fc.constant(true),
});

test(`a shopper has one bucket in a group, through logins and logouts (SEED=${seed})`, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.oneof({ weight: 3, arbitrary: shape }, { weight: 1, arbitrary: after }),
      fc.array(step, { minLength: 2, maxLength: 25, size: "max" }),
      async (of, steps) => {
        const take = createModel(of);
        for (const one of steps) await take(one);
      },
    ),
    { seed, numRuns: runs },
  );
}, 120_000);
