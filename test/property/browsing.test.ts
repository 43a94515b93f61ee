/**
 * Random histories of browsers with visits and links: percent walks, rollbacks, logins and logouts, time that passes. Raising
 * moves nobody back; a visit keeps its side through raises and ends with a rollback; a login changes no sides, unless the
 * account is elsewhere already; and one account is on one side.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Side } from "../../src/state/rules/model.ts";
import { type Browser, createBrowsers } from "../support/browsers.ts";

const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
const runs = Number(process.env.RUNS ?? 60);

const accounts = ["ann", "bob", "cy", "dee", "eve"];
const which = fc.nat(4);
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("browse" as const), which }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("login" as const),
      which,
      account: fc.constantFrom(...accounts),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("logout" as const), which }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("raise" as const), by: fc.integer({ min: 1, max: 60_000 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("lower" as const), by: fc.integer({ min: 1, max: 60_000 }) }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "rollback" as const }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("pass" as const),
      ms: fc.constantFrom(1000, 60_000, 600_000, 1_790_000, 1_801_000, 90_000_000),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

const forMs = 1_800_000;

interface Seen {
  readonly browser: Browser;
  /** How it went last, and when; what has happened since decides what must be so. */
  last: { readonly side: Side; readonly at: number; readonly wasRolledBack: boolean } | undefined;
  /** Whether only raises have happened since its visit began, on which side, and until when it lasts. */
  visit: { readonly side: Side; readonly until: number } | undefined;
}

/** @param visits whether who browses has visits: without them a link alone keeps a side through a login */
function createModel(visits: boolean) {
  const { fixture, open, browse } = createBrowsers({
    cutover: { ...(visits && { visit: { for: "30m" } }), identity: { link: { for: "24h" } } },
    state: { percentThousandths: 10_000, version: 1 },
  });
  const people: Seen[] = Array.from({ length: 5 }, () => ({
    browser: open(),
    last: undefined,
    visit: undefined,
  }));
  /** Who has browsed as an account, since it was nobody's for longer than anything lasts. */
  const users = new Map<string, Map<Seen, number>>();
  let percent = 10_000;
  let version = 1;
  const change = (next: Parameters<typeof fixture.set>[0]) => {
    version += 1;
    fixture.set({ ...next, version, updatedAt: new Date(fixture.time.ms).toISOString() });
  };
  const now = () => fixture.time.ms;

  /** @param mayMove an account that is elsewhere already takes whoever logs in to it with it */
  async function go(seen: Seen, mayMove = false): Promise<Side> {
    const told = await browse(seen.browser);
    if (seen.visit !== undefined && now() < seen.visit.until && !mayMove) {
      expect([told.side, told.reason]).toEqual([seen.visit.side, "visit"]);
    }
    const visit = told.given.get("cutover_visit");
    if (visit !== undefined || mayMove) seen.visit = { side: told.side, until: lastsUntil(seen) };
    seen.last = { side: told.side, at: now(), wasRolledBack: false };
    use(seen);
    return told.side;
  }
  function use(seen: Seen): void {
    const { account } = seen.browser;
    if (account === undefined) return;
    const by = users.get(account) ?? new Map<Seen, number>();
    users.set(account, by.set(seen, now()));
  }
  /** The visit's own word, in its cookie. */
  const lastsUntil = ({ browser }: Seen) => {
    const [, , , , expiry = "0"] = (browser.jar.get("cutover_visit") ?? "").split(".");
    return Number.parseInt(expiry, 36) * 1000;
  };
  const isElsewhere = (seen: Seen, account: string) =>
    [...(users.get(account) ?? [])].some(([other]) => other !== seen);

  return {
    async take(one: Step): Promise<void> {
      const seen = "which" in one ? people[one.which] : undefined;
      switch (one.kind) {
        case "browse":
          if (seen)
            await go(seen, seen.browser.account !== undefined && isElsewhere(seen, seen.browser.account));
          return;
        case "login": {
          if (seen === undefined) return;
          const before = await go(
            seen,
            seen.browser.account !== undefined && isElsewhere(seen, seen.browser.account),
          );
          // What it has of its last login, here or elsewhere, is its own.
          const moves = seen.browser.account !== one.account && (users.get(one.account)?.size ?? 0) > 0;
          seen.browser.account = one.account;
          const after = await go(seen, moves);
          if (!moves) expect(after).toBe(before);
          return;
        }
        case "logout":
          if (seen) seen.browser.account = undefined;
          return;
        case "raise": {
          const sides = new Map<Seen, Side>();
          for (const each of people) {
            const { account } = each.browser;
            sides.set(each, await go(each, account !== undefined && isElsewhere(each, account)));
          }
          percent = Math.min(100_000, percent + one.by);
          change({ percentThousandths: percent });
          for (const [each, before] of sides) {
            const after = await go(each);
            if (before === "new") expect(after).toBe("new");
          }
          return;
        }
        case "lower":
          percent = Math.max(0, percent - one.by);
          change({ percentThousandths: percent });
          if (percent === 0)
            for (const each of people) if (each.visit?.side === "new") each.visit = undefined;
          return;
        case "rollback": {
          change({ percentThousandths: 0, state: "rolled_back" });
          for (const each of people) {
            expect((await browse(each.browser)).side).toBe("legacy");
            use(each);
            if (each.visit?.side === "new") each.visit = undefined;
          }
          change({ state: "open" });
          percent = 1;
          change({ percentThousandths: percent });
          // Only the bucket 0 is below a thousandth of a percent.
          for (const { browser } of people) {
            const told = await browse(browser);
            expect([told.side, told.reason]).not.toEqual(["new", "visit"]);
          }
          return;
        }
        case "pass":
          fixture.time.ms += one.ms;
          if (one.ms > 86_400_000) users.clear();
      }
    },
    /** Once every device has been asked, all of an account are on one side. */
    async settle(): Promise<void> {
      const sides = new Map<string, Set<Side>>();
      fixture.time.ms += forMs + 1000;
      for (const { browser } of people) {
        const { side } = await browse(browser);
        const { account } = browser;
        if (account === undefined) continue;
        sides.set(account, (sides.get(account) ?? new Set()).add(side));
      }
      for (const [account, met] of sides) expect([account, met.size]).toEqual([account, 1]);
    },
  };
}

test(`raises, visits, rollbacks and logins move nobody whom they must not (SEED=${seed})`, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.boolean(),
      fc.array(step, { minLength: 5, maxLength: 60, size: "max" }),
      async (visits, steps) => {
        const model = createModel(visits);
        for (const one of steps) await model.take(one);
        await model.settle();
      },
    ),
    { seed, numRuns: runs },
  );
}, 300_000);

test("an account stays where it logged in, though a device that had forgotten its login asks for it", async () => {
  const { fixture, open, browse } = createBrowsers({
    cutover: { visit: { for: "30m" }, identity: { link: { for: "24h" } } },
    state: { percentThousandths: 0, version: 1 },
  });
  const [forgetful, other] = [open(), open()];
  const login = async (browser: Browser) => {
    await browse(browser);
    browser.account = "bob";
    await browse(browser);
  };
  await login(forgetful);
  fixture.time.ms += 90_000_000;
  await login(other);
  await browse(forgetful);
  fixture.time.ms += forMs + 1000;
  for (let percent = 5; percent < 100; percent += 5) {
    const updatedAt = new Date(fixture.time.ms).toISOString();
    fixture.set({ percentThousandths: percent * 1000, version: 1 + percent, updatedAt });
    expect((await browse(forgetful)).side).toBe((await browse(other)).side);
    fixture.time.ms += forMs + 1000;
  }
});
