/** A request is decided by its cohort, and explained by it. */
import { hash } from "node:crypto";
import { expect, test } from "vitest";
import { explain } from "../../../../src/proxy/explain.ts";
import { createFixture, type FixtureOptions } from "../../../support/exchange-fixture.ts";
import { turn } from "../../../support/until.ts";

const secret = "wR7-velvet-otter";
const cohorts = [
  { name: "staff", when: { list: "staff" }, side: "new" },
  { name: "my", when: { host: "*.my" }, side: "legacy" },
  { name: "jakarta", when: { header: "x-region", in: ["ID-JK"] }, percent: 100 },
];

const fixtureOf = (options: FixtureOptions = {}, more: object = {}) =>
  createFixture({
    lists: { staff: ["4711"] },
    ...options,
    cutover: { cohorts, ...more },
  });

async function decided(options: FixtureOptions, host: string, fields: readonly string[], more = {}) {
  const fixture = fixtureOf(options, more);
  fixture.send({ method: "GET", target: "/cart/1", fields: ["Host", host, ...fields] });
  await turn();
  return fixture.decisions;
}

const by = (name: string) => ["X-Shopper-Id", name];

test("a request goes where its cohort does: by a list, by its host, by a percent of its own, else by the cutover's", async () => {
  const full = { state: { percentThousandths: 100_000, version: 1 } };
  expect(await decided({}, "shop.example", by("4711"))).toEqual(["new cohort"]);
  expect(await decided(full, "a.my", by("ana"))).toEqual(["legacy cohort"]);
  expect(await decided({}, "shop.example", [...by("ana"), "X-Region", "ID-JK"])).toEqual(["new bucket"]);
  expect(await decided({}, "shop.example", [...by("ana"), "X-Region", "ID-XX"])).toEqual(["legacy bucket"]);
  const lowered = { state: { cohorts: { jakarta: 0 }, version: 1 } };
  expect(await decided(lowered, "shop.example", [...by("ana"), "X-Region", "ID-JK"])).toEqual([
    "legacy bucket",
  ]);
});

test("while it is rolled back every cohort goes to legacy, and a tester with it unless that is configured", async () => {
  const rolledBack = { state: { state: "rolled_back" as const, cohorts: { jakarta: 0 }, version: 2 } };
  expect(await decided(rolledBack, "shop.example", by("4711"))).toEqual(["legacy rolled_back"]);
  const tester = [...by("ana"), "X-Force", `new ${secret}`];
  const force = { header: "X-Force", secrets: [hash("sha256", secret)] };
  expect(await decided(rolledBack, "shop.example", tester, { force })).toEqual(["legacy rolled_back"]);
  const always = { force: { ...force, whileRolledBack: true } };
  expect(await decided(rolledBack, "shop.example", tester, always)).toEqual(["new forced"]);
});

test("an explanation tells the cohort and its percent, as far as the shopper and the host tell of it, or the one that is named", async () => {
  const { context } = fixtureOf();
  const told = async (question: object) => (await explain(context, "checkout", question))?.sentence;
  expect(await told({ shopper: "4711" })).toContain("new, because the configuration sends the cohort staff");
  expect(await told({ shopper: "ana", host: "a.my" })).toContain("sends the cohort my there");
  expect(await told({ shopper: "ana" })).toContain("at 0%.");
  expect(await told({ shopper: "ana", cohort: "jakarta" })).toContain("at 100% for the cohort jakarta.");
});
