/** The flags against flagd's own evaluator: what it says a shopper's side is must be what the proxy decides. */
import { FlagdCore } from "@openfeature/flagd-core";
import { OpenFeature } from "@openfeature/server-sdk";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { flagOf } from "../../../../src/admin/flagd/flagd.ts";
import { bucketOf, bytesOf, saltPrefix } from "../../../../src/decide/bucket.ts";
import { decide } from "../../../../src/decide/decide.ts";
import { type CutoverState, initialState, stateNames } from "../../../../src/state/rules/model.ts";
import { startAdmin } from "../../../support/admin-fixture.ts";
import { expectedSide } from "../../../support/bucket.ts";
import { applyAll, setTo } from "../../../support/commands.ts";
import { CutoverProvider } from "../../../support/openfeature.ts";

function evaluator(state: CutoverState, salt = "checkout"): (shopper?: string) => string {
  const core = new FlagdCore();
  core.setConfigurations(JSON.stringify({ flags: { checkout: flagOf({ name: "checkout", state, salt }) } }));
  return (shopper) => {
    const context = shopper === undefined ? {} : { targetingKey: shopper };
    return core.resolveStringEvaluation("checkout", "neither", context).value;
  };
}

const open = (percentThousandths: number): CutoverState => ({
  ...initialState(),
  percentThousandths,
  version: 1,
});

describe("a cutover's flag", () => {
  test.each([0, 0.001, 4.035, 10, 33.333, 50, 99.999, 100])(
    "at %d%% says of 2,000 shoppers what the published hash says, by flagd's evaluator",
    (percent) => {
      const sideOf = evaluator(open(Math.round(percent * 1000)));
      const shoppers = Array.from({ length: 2000 }, (_, n) => `shopper-${n}`);
      const differing = shoppers.filter((one) => sideOf(one) !== expectedSide("checkout", one, percent));
      expect(differing).toEqual([]);
    },
  );

  test("splits exactly at the bucket: a thousandth of a percent more is the shopper's side", () => {
    for (const shopper of ["a", "shopper-1", "4711", "9f86d081-884c-7d65"]) {
      const bucket = bucketOf(saltPrefix("checkout"), shopper);
      expect(evaluator(open(bucket))(shopper)).toBe("legacy");
      expect(evaluator(open(bucket + 1))(shopper)).toBe("new");
    }
  });

  test("says what the proxy decides of whoever has a bucket and nothing else, for any state, salt and shopper of ASCII", () => {
    const ascii = fc.string({
      unit: fc.integer({ min: 0x20, max: 0x7e }).map((c) => String.fromCharCode(c)),
    });
    const state = fc.record({
      name: fc.constantFrom(...stateNames),
      percent: fc.integer({ min: 0, max: 100_000 }),
    });
    fc.assert(
      fc.property(ascii, ascii, state, (salt, shopper, { name, percent }) => {
        fc.pre(salt !== "" && shopper !== "");
        const percentThousandths = { open: percent, held: percent, rolled_back: 0, closed: 100_000 }[name];
        const at: CutoverState = { ...open(percentThousandths), state: name };
        const facts = { owner: undefined, journey: undefined, forced: undefined, stale: false };
        const bucket = bucketOf(saltPrefix(salt), bytesOf(shopper));
        expect(evaluator(at, salt)(shopper)).toBe(decide(at, { ...facts, bucket }).side);
        expect(evaluator(at, salt)()).toBe(decide(at, { ...facts, bucket: undefined }).side);
      }),
    );
  });

  test("differs for names beyond ASCII in flagd's JavaScript alone, which hashes them by their UTF-16 units", () => {
    const shoppers = Array.from({ length: 200 }, (_, n) => `käufer-${n}`);
    const sideOf = evaluator(open(50_000));
    const differing = shoppers.filter((one) => sideOf(one) !== expectedSide("checkout", one, 50));
    expect(differing.length).toBeGreaterThan(50);
  });
});

describe("through OpenFeature's server SDK", () => {
  afterAll(() => OpenFeature.close());

  test("an app follows raises, a rollback and the close, and asks nobody in between", async () => {
    const admin = await startAdmin({ names: ["checkout"] });
    const { store } = admin;
    const provider = new CutoverProvider(admin.url);
    await OpenFeature.setProviderAndWait(provider);
    const client = OpenFeature.getClient();
    const shoppers = Array.from({ length: 50 }, (_, n) => `shopper-${n}`);
    const sides = () =>
      Promise.all(
        shoppers.map((targetingKey) => client.getStringValue("checkout", "neither", { targetingKey })),
      );
    const expected = (percent: number) => shoppers.map((one) => expectedSide("checkout", one, percent));
    const follow = async () => {
      // What the store holds is what the instance shows once it has followed.
      const { version } =
        (await store.load(["checkout"], new Map())).states.get("checkout") ?? initialState();
      for (;;) {
        const answer = await fetch(`${admin.url}/api/v1/export/flagd.json`);
        if (JSON.stringify(await answer.json()).includes(`"version":${version}`)) break;
      }
      await provider.fetchFlags();
    };
    try {
      expect(await sides()).toEqual(expected(0));
      await applyAll(store, "checkout", [setTo(40)]);
      await follow();
      expect(await sides()).toEqual(expected(40));
      expect(await client.getStringValue("checkout", "neither", {})).toBe("legacy");
      await applyAll(store, "checkout", [{ action: "rollback" }]);
      await follow();
      expect(await sides()).toEqual(expected(0));
      await applyAll(store, "checkout", [{ action: "resume" }, setTo(100), { action: "close" }]);
      await follow();
      expect(await sides()).toEqual(expected(100));
      expect(await client.getStringValue("checkout", "neither", {})).toBe("new");
    } finally {
      await admin.close();
    }
    expect(await sides()).toEqual(expected(100));
  });
});
