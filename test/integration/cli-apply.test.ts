/** `cutover apply`: things stand as a file says, by the rules, and the same again changes nothing. A real admin server. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { createMemoryStore } from "../../src/state/store/in-process.ts";
import { secrets, startAdmin, tokens } from "../support/admin-fixture.ts";
import { stateOf } from "../support/commands.ts";
import { startServe } from "../support/cutover.ts";
import { runOnPaper } from "../support/paper-terminal.ts";
import { createTestRaises } from "../support/raises.ts";
import { cartsByShopper, serveYaml } from "../support/serve-yaml.ts";

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

const hourMs = 3_600_000;

async function create({ approvalOver }: { readonly approvalOver?: number } = {}) {
  const folder = await mkdtemp(join(tmpdir(), "cutover-apply-"));
  endings.push(() => rm(folder, { recursive: true }));
  const store = createMemoryStore({ clock: systemClock });
  const { plans } = createTestRaises(() => store, []);
  const names = ["cart", "checkout"];
  const admin = await startAdmin({
    ...{ auth: tokens, store, plans, names },
    ...(approvalOver === undefined ? {} : { approvalOver }),
  });
  endings.push(() => admin.close());
  const file = join(folder, "target.yaml");
  const run = (role: keyof typeof secrets, ...words: string[]) =>
    runOnPaper(words, { env: { CUTOVER_ADMIN_URL: admin.url, CUTOVER_TOKEN: secrets[role] } });
  return {
    ...{ run, file, url: admin.url },
    async apply(target: string, role: keyof typeof secrets, ...words: string[]) {
      await writeFile(file, target);
      return await run(role, "apply", "-f", file, ...words);
    },
    async stands() {
      const [cart, checkout] = await Promise.all(names.map((name) => stateOf(store, name)));
      return { cart, checkout };
    },
    percents: async () =>
      Promise.all(names.map(async (name) => (await stateOf(store, name)).percentThousandths / 1000)),
  };
}

test("what differs is shown by --dry-run and changed without it; the same again changes nothing", async () => {
  const { apply, percents, stands, run } = await create();
  await run("operator", "set", "cart", "20", "--reason", "before");
  const until = new Date(Date.now() + hourMs).toISOString();
  const target = `
reason: change 1234
freeze: { until: ${until} }
cutovers:
  checkout: { percent: 10 }
  cart: { percent: 5, reason: cart is slow }
`;
  const dry = await apply(target, "operator", "--dry-run");
  expect(dry).toMatchObject({
    code: 4,
    stdout: `cart: 20% → 5%\ncheckout: 0% → 10%\nfreeze: none → until ${until}\n`,
  });
  expect(await percents()).toEqual([20, 0]);

  const made = await apply(target, "operator");
  expect(made).toMatchObject({ code: 0, stderr: "" });
  expect(await percents()).toEqual([5, 10]);
  expect(await stands()).toMatchObject({
    cart: { reason: "cart is slow", version: 2 },
    checkout: { reason: "change 1234", version: 1 },
  });
  const again = await apply(target, "operator");
  expect(again).toMatchObject({ code: 0, stdout: "nothing differs\n" });
  expect(await stands()).toMatchObject({ cart: { version: 2 }, checkout: { version: 1 } });
  expect(JSON.parse((await apply(target, "viewer", "--dry-run", "--json")).stdout)).toEqual({ drift: [] });
});

test("what the rules refuse is refused and told, and the rest is done", async () => {
  const { apply, percents, run } = await create();
  await run("operator", "set", "checkout", "20", "--reason", "before");
  await run("responder", "hold", "checkout");
  const target = "reason: r\ncutovers: { checkout: { percent: 40 }, cart: { percent: 10 } }";
  const dry = await apply(target, "operator", "--dry-run");
  expect(dry).toMatchObject({
    code: 1,
    stdout: "checkout: 20% → 40% (would be refused: held)\ncart: 0% → 10%\n",
  });
  const held = await apply(target, "operator");
  expect(held.code).toBe(1);
  expect(held.stderr).toMatch(/^cutover: checkout: 20% → 40%: .*held/);
  expect(await percents()).toEqual([10, 20]);
  const lower = "reason: r\ncutovers: { checkout: { percent: 15 } }";
  expect((await apply(lower, "viewer")).stderr).toContain("forbidden");
  expect(await apply(lower, "responder")).toMatchObject({ code: 0 });
});

test("a freeze is lifted before what it refuses, and begun after it", async () => {
  const { apply, percents, run } = await create();
  await run("responder", "freeze", "--until", "1h");
  const refused = await apply("reason: r\ncutovers: { cart: { percent: 10 } }", "operator");
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain("frozen");
  const lifted = await apply("reason: r\nfreeze: none\ncutovers: { cart: { percent: 10 } }", "operator");
  expect(lifted).toMatchObject({ code: 0 });
  expect(await percents()).toEqual([10, 0]);
});

test("a raise that needs a second person is proposed once, and is not asked for again while it waits", async () => {
  const { apply, percents, run } = await create({ approvalOver: 20 });
  const target = "reason: r\ncutovers: { cart: { percent: 25 } }";
  const proposed = await apply(target, "operator");
  expect(proposed.code).toBe(4);
  expect(proposed.stdout).toMatch(/^cart: 0% → 25%: proposed as \w+; it waits for another person\n$/);
  expect(await apply(target, "operator")).toMatchObject({
    code: 4,
    stdout: "cart: 0% → 25% (waits for another person)\n",
  });
  const id = /proposed as (\w+)/.exec(proposed.stdout)?.[1] ?? "";
  expect(await run("admin", "approve", "cart", id)).toMatchObject({ code: 0 });
  expect(await percents()).toEqual([25, 0]);
  expect(await apply(target, "operator")).toMatchObject({ code: 0, stdout: "nothing differs\n" });
});

test("a target that is wrong changes nothing: each problem has its place", async () => {
  const { apply, percents } = await create();
  const wrong: [string, number, RegExp][] = [
    ["cutovers: { cart: { percent: 10 } }", 2, /no reason for cart: 0% → 10%/],
    [
      "reason: r\ncutovers: { cart: { percent: 101 } }",
      2,
      /target\.yaml:2:30 cutovers\.cart\.percent: expected a/,
    ],
    ["reason: r\ncutover: {}", 2, /target\.yaml:2:10 cutover: is no key of a target/],
    ["cutovers: { cart: { percent: 5, plan: running } }", 2, /expected no percent: a plan that runs sets it/],
    ["cutovers: [", 2, /target\.yaml:1:12 /],
    [
      "reason: r\ncutovers: { chart: { percent: 5 } }",
      1,
      /no such cutover or cohort: chart\n.*cart, checkout/,
    ],
  ];
  for (const [target, code, said] of wrong) {
    const told = await apply(target, "operator");
    expect(told, target).toMatchObject({ code, stdout: "" });
    expect(told.stderr, target).toMatch(said);
  }
  expect(await percents()).toEqual([0, 0]);
});

test("a large raise is made for a script with a word on stderr, and not where scripts have to confirm", async () => {
  const { apply, percents, file, url } = await create();
  const target = "reason: r\ncutovers: { cart: { percent: 60 } }";
  await writeFile(file, target);
  const env = { CUTOVER_ADMIN_URL: url, CUTOVER_TOKEN: secrets.operator, CUTOVER_CONFIRM: "always" };
  const refused = await runOnPaper(["apply", "-f", file], { env });
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain("By a person: cutover set cart 60 --confirm=60 --reason TEXT");
  expect(await percents()).toEqual([0, 0]);
  const made = await apply(target, "operator");
  expect(made.code).toBe(0);
  expect(made.stderr).toContain("by 60 points at once");
});

test("an API out of reach is exit 3, and a file that is not there exit 2", async () => {
  const env = { CUTOVER_ADMIN_URL: "http://127.0.0.1:9" };
  expect((await runOnPaper(["apply", "-f", "/nowhere/target.yaml"], { env })).code).toBe(2);
  const { apply } = await create();
  await apply("reason: r\ncutovers: { cart: { percent: 5 } }", "operator");
  const folder = await mkdtemp(join(tmpdir(), "cutover-apply-"));
  endings.push(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, "t.yaml"), "reason: r\ncutovers: { cart: { percent: 5 } }");
  expect((await runOnPaper(["apply", "-f", join(folder, "t.yaml")], { env })).code).toBe(3);
});

test("a cutover's percent and that of its cohort are set by one target, each over what the other has made", async () => {
  const folder = await mkdtemp(join(tmpdir(), "cutover-apply-"));
  endings.push(() => rm(folder, { recursive: true }));
  const yaml = serveYaml({
    sides: { legacy: "http://127.0.0.1:9", new: "http://127.0.0.1:9" },
    cutover: [...cartsByShopper, "cohorts: [{ name: jakarta, when: { list: jakarta }, percent: 0 }]"],
    more: ["lists: { jakarta: {} }", "audit: off"],
  });
  const serve = await startServe({ folder, name: "apply", yaml });
  endings.push(() => serve.kill());
  const file = join(folder, "target.yaml");
  await writeFile(file, "reason: r\ncutovers: { checkout: { percent: 10, cohorts: { jakarta: 20 } } }");
  const env = { CUTOVER_ADMIN_URL: serve.admin };
  expect(await runOnPaper(["apply", "-f", file], { env })).toMatchObject({ code: 0, stderr: "" });
  expect(await runOnPaper(["apply", "-f", file], { env })).toMatchObject({ stdout: "nothing differs\n" });
});
