/**
 * Each command against a real admin API: in this process, where words and exit code are all there is to see; in one of
 * its own wherever the process itself takes part (each exit code once, signals, the end of a pipe, `serve`, the time
 * zone, and files that main.ts loads).
 */
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer as createHttpServer } from "node:http";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Explanation } from "../../src/admin/api/explanation.ts";
import { systemClock } from "../../src/base/clock.ts";
import { createMemoryStore } from "../../src/state/store/in-process.ts";
import {
  type AdminFixture,
  type AdminFixtureOptions,
  secrets,
  startAdmin,
  tokens,
} from "../support/admin-fixture.ts";
import { runCutover, startCutover } from "../support/cutover.ts";
import { runOnPaper } from "../support/paper-terminal.ts";
import { createTroubledStore } from "../support/troubled-store.ts";

const endings: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cutover-cli-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function admin(options: AdminFixtureOptions = {}): Promise<AdminFixture> {
  const fixture = await startAdmin(options);
  endings.push(() => fixture.close());
  return fixture;
}

const at = (url: string, token?: string) => ({
  env: { CUTOVER_ADMIN_URL: url, ...(token === undefined ? {} : { CUTOVER_TOKEN: token }) },
});

async function listen(server: Server): Promise<string> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => sockets.add(socket));
  await once(server.listen(0, "127.0.0.1"), "listening");
  endings.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  const address = server.address();
  return `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
}

test("set, hold, resume, rollback, close: exit 0 and a line that says what stands where", async () => {
  const setting = at((await admin()).url);
  const applied = (version: number) =>
    expect.stringMatching(new RegExp(`, version ${version}, applied on 1 of 1 instance in \\d+ ms\\n`));

  const set = await runCutover(["set", "checkout", "12.5%", "--reason", "first step"], setting);
  expect(set).toMatchObject({ code: 0, stdout: applied(1), stderr: "" });
  expect(set.stdout).toMatch(/^checkout: 12\.5% → legacy 87\.5% \/ new 12\.5%, /);

  const again = await runOnPaper(["set", "checkout", "12.5", "--reason", "twice"], setting);
  expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining("nothing to change") });

  const hold = await runOnPaper(["hold", "checkout"], setting);
  expect(hold).toMatchObject({ code: 0, stdout: applied(2) });
  expect(hold.stdout).toMatch(/^checkout: held at 12\.5% → /);

  const resume = await runOnPaper(["resume", "checkout", "--reason", "seen to"], setting);
  expect(resume).toMatchObject({ code: 0, stdout: applied(3) });

  const rollback = await runOnPaper(["rollback", "checkout"], setting);
  expect(rollback).toMatchObject({ code: 0, stdout: applied(4) });
  expect(rollback.stdout).toMatch(/^checkout: rolled back → legacy 100% \/ new 0%, /);
  expect(rollback.stdout).toContain("New journeys start on legacy. Journeys that began on new finish there.");

  const hard = await runOnPaper(["rollback", "checkout", "--hard", "--reason", "orders twice"], setting);
  expect(hard).toMatchObject({ code: 0, stdout: applied(5) });
  expect(hard.stdout).toContain("Journeys that began on new are void");

  await runOnPaper(["resume", "checkout", "--reason", "fixed"], setting);
  await runOnPaper(["set", "checkout", "100", "--reason", "all of it", "--confirm=100"], setting);
  const closing = ["close", "checkout", "--reason", "a month at 100", "--confirm", "checkout"];
  const close = await runOnPaper(closing, setting);
  expect(close).toMatchObject({ code: 0, stdout: applied(8) });
});

test("status, history, explain and their --json", async () => {
  const explanation = {
    side: "new",
    reason: "bucket",
    bucket: 4321,
    percent: 10,
    version: 1,
    owner: null,
    journey: null,
    routes: [],
    sentence: "new, because\u001b[2J of the bucket.",
    past: null,
  } satisfies Explanation;
  const { url } = await admin({ names: ["checkout", "returns"], explain: () => explanation });
  await runOnPaper(["set", "checkout", "10", "--reason", "\u001b[2Jfirst step"], at(url));

  const status = await runOnPaper(["status"], at(url));
  expect(status).toMatchObject({ code: 0, stderr: "" });
  expect(status.stdout).toMatch(
    /^checkout {3}10% on new {3}open {3}version 1 {3}applied on 1 of 1 instance\n/,
  );
  expect(status.stdout).toContain("\nreturns   0% on new");
  expect(status.stdout).toContain("\\u{1b}[2Jfirst step");
  expect(status.stdout).not.toContain("\u001b");
  const one = await runOnPaper(["status", "returns", "--json"], at(url));
  expect(JSON.parse(one.stdout)).toMatchObject({ name: "returns", percent: 0, state: "open" });

  const history = await runCutover(["history", "checkout"], at(url));
  expect(history.stdout).toMatch(/^v1 {2}\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+07:00 {2}set {2}0% → 10% {2}by /);
  const entries = await runOnPaper(["history", "checkout", "--limit", "1", "--json"], at(url));
  expect(JSON.parse(entries.stdout)).toMatchObject([{ version: 1, action: "set" }]);

  const explain = await runOnPaper(["explain", "checkout", "--shopper", "4711", "--method", "post"], at(url));
  expect(explain.stdout).toBe("checkout: new, because\\u{1b}[2J of the bucket.\n");
  const json = await runOnPaper(["explain", "checkout", "--shopper", "4711", "--json"], at(url));
  expect(JSON.parse(json.stdout)).toEqual(explanation);
});

test("set of 0.25 without its sign and of 12,5 is refused with a hint; 0.25% is a quarter of a percent", async () => {
  const setting = at((await admin()).url);
  const bare = await runOnPaper(["set", "checkout", "0.25", "--reason", "x"], setting);
  expect(bare).toMatchObject({
    code: 2,
    stdout: "",
    stderr: expect.stringContaining("0.25% (of 100) or 25%"),
  });
  const comma = await runOnPaper(["set", "checkout", "12,5", "--reason", "x"], setting);
  expect(comma).toMatchObject({ code: 2, stderr: expect.stringContaining("written with a point: 12.5%") });
  const signed = await runOnPaper(["set", "checkout", "0.25%", "--reason", "x"], setting);
  expect(signed).toMatchObject({ code: 0, stdout: expect.stringMatching(/^checkout: 0\.25% → /) });
});

test("a raise by more than 25 points is done for a script, with a line on stderr; --confirm has to say the same percent", async () => {
  const { url, store } = await admin();
  const other = await runOnPaper(["set", "checkout", "25.001", "--reason", "x", "--confirm=25"], at(url));
  expect(other).toMatchObject({ code: 2, stderr: expect.stringContaining("--confirm says 25%") });
  expect(await store.history("checkout", 9)).toEqual([]);
  const small = await runOnPaper(["set", "checkout", "25", "--reason", "x"], at(url));
  expect(small).toMatchObject({ code: 0, stderr: "" });
  const unasked = await runOnPaper(["set", "checkout", "60", "--reason", "x"], at(url));
  expect(unasked).toMatchObject({
    code: 0,
    stderr:
      "cutover: this raises checkout from 25% to 60%, by 35 points at once; --confirm=60 says that it is meant\n",
  });
  const large = await runOnPaper(["set", "checkout", "100", "--reason", "x", "--confirm", "100%"], at(url));
  expect(large).toMatchObject({ code: 0, stderr: "" });
  const lower = await runOnPaper(["set", "checkout", "0", "--reason", "x"], at(url));
  expect(lower).toMatchObject({ code: 0, stderr: "" });
});

test("where CUTOVER_CONFIRM=always or the settings say so, a script has to give --confirm for a large raise", async () => {
  const { url, store } = await admin();
  const home = await mkdtemp(join(folder, "xdg-"));
  await mkdir(join(home, "cutover"));
  await writeFile(join(home, "cutover", "cli.yaml"), "confirm: always\n");
  for (const demanded of [{ CUTOVER_CONFIRM: "always" }, { XDG_CONFIG_HOME: home }]) {
    const setting = { env: { ...at(url).env, ...demanded } };
    const missing = await runOnPaper(["set", "checkout", "60", "--reason", "x"], setting);
    expect(missing).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining("--confirm=60") });
    expect(await store.history("checkout", 9)).toEqual([]);
  }
  const setting = { env: { ...at(url).env, CUTOVER_CONFIRM: "always" } };
  const small = await runOnPaper(["set", "checkout", "25", "--reason", "x"], setting);
  expect(small).toMatchObject({ code: 0, stderr: "" });
  const given = await runOnPaper(["set", "checkout", "60", "--reason", "x", "--confirm=60"], setting);
  expect(given).toMatchObject({ code: 0, stderr: "" });
  const rollback = await runOnPaper(["rollback", "checkout"], setting);
  expect(rollback).toMatchObject({ code: 0, stderr: "" });
});

test("--dry-run says what would happen, how many move and what would be refused, and changes nothing", async () => {
  const { url, store } = await admin({ auth: tokens });
  const operator = at(url, secrets.operator);
  const raise = await runOnPaper(["set", "checkout", "40", "--reason", "x", "--dry-run"], operator);
  expect(raise).toMatchObject({ code: 0, stderr: "" });
  expect(raise.stdout).toContain(
    "dry run: checkout would go from 0%, open, version 0 to 40%, open, version 1\n",
  );
  expect(raise.stdout).toContain(
    "new journeys of 0 in 100 shoppers start on new → 40 in 100 (40 in 100 move to new)",
  );
  expect(raise.stdout).toContain("--confirm=40");
  const responder = at(url, secrets.responder);
  const refused = await runOnPaper(["set", "checkout", "5", "--reason", "x", "--dry-run"], responder);
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("would be refused (forbidden)") });
  const json = await runOnPaper(["rollback", "checkout", "--dry-run", "--json"], responder);
  expect(JSON.parse(json.stdout)).toMatchObject({
    dryRun: true,
    changed: true,
    to: { state: "rolled_back" },
  });
  const direct = await runOnPaper(["rollback", "checkout", "--dry-run", "--direct", "redis://x"], responder);
  expect(direct).toMatchObject({ code: 2, stderr: expect.stringContaining("nothing was changed") });
  expect(await store.history("checkout", 9)).toEqual([]);
});

test("annotate adds a reason that the history shows with the change, and how each came", async () => {
  const { url } = await admin({ auth: tokens });
  const responder = at(url, secrets.responder);
  await runOnPaper(["rollback", "checkout"], responder);
  const added = await runOnPaper(["annotate", "checkout", "1", "--reason", "double charges"], responder);
  expect(added).toMatchObject({
    code: 0,
    stdout: "checkout: version 1 has its reason, by responder-token\n",
  });
  const history = await runOnPaper(["history", "checkout", "--since", "1h"], responder);
  expect(history.stdout).toMatch(
    /by responder-token\s+via api\n {4}later, .* by responder-token: double charges\n/,
  );
  const entries = await runOnPaper(["history", "checkout", "--json"], responder);
  expect(JSON.parse(entries.stdout)).toMatchObject([
    {
      version: 1,
      reason: "",
      via: "api",
      requestId: expect.any(String),
      annotations: [{ reason: "double charges" }],
    },
  ]);
  const none = await runOnPaper(["annotate", "checkout", "7", "--reason", "x"], responder);
  expect(none).toMatchObject({ code: 1, stderr: expect.stringContaining("cutover history checkout") });
  const viewer = await runOnPaper(["annotate", "checkout", "1", "--reason", "x"], at(url, secrets.viewer));
  expect(viewer).toMatchObject({ code: 1, stderr: expect.stringContaining("forbidden") });
  const later = new Date(Date.now() + 60_000).toISOString();
  const since = await runOnPaper(["history", "checkout", "--since", later], responder);
  expect(since).toMatchObject({ code: 0, stdout: "not changed since\n" });
});

test("exit 1: what the rules refuse, with the reason and the next step on stderr", async () => {
  const setting = at((await admin()).url);
  const refused = async (
    argv: readonly string[],
    code: string,
    next: string,
    run: typeof runCutover = runOnPaper,
  ) => {
    const { code: exit, stdout, stderr } = await run(argv, setting);
    expect({ exit, stdout }).toEqual({ exit: 1, stdout: "" });
    expect(stderr).toContain(`cutover: refused (${code}): `);
    expect(stderr).toContain(next);
  };
  await refused(["status", "nope"], "not_found", "cutover status", runCutover);
  await refused(["set", "nope", "5", "--reason", "x"], "not_found", "cutover status");
  await refused(["explain", "checkout", "--shopper", "1", "--path", "/x"], "not_found", "no route of it");
  const close = ["close", "checkout", "--reason", "x", "--confirm", "checkout"];
  await refused(close, "not_complete", "cutover set checkout 100 --reason");
  await refused(
    ["hold", "checkout", "--if-version", "7"],
    "version_conflict",
    "It stands at 0%, open, version 0.",
  );
  await runOnPaper(["hold", "checkout"], setting);
  await refused(["set", "checkout", "5", "--reason", "x"], "held", "cutover resume checkout --reason");
  await runOnPaper(["rollback", "checkout"], setting);
  await refused(["set", "checkout", "5", "--reason", "x"], "rolled_back", "cutover resume checkout --reason");
});

test("exit 1: no token, a token that may not; the token comes from the environment or a file", async () => {
  const { url } = await admin({ auth: tokens });
  const unknown = await runOnPaper(["status"], at(url));
  expect(unknown).toMatchObject({ code: 1, stdout: "" });
  expect(unknown.stderr).toContain("refused (unauthenticated)");
  expect(unknown.stderr).toContain("CUTOVER_TOKEN");
  const raise = await runOnPaper(["set", "checkout", "5", "--reason", "x"], at(url, secrets.responder));
  expect(raise).toMatchObject({ code: 1, stderr: expect.stringContaining("refused (forbidden)") });
  expect(await runOnPaper(["rollback", "checkout"], at(url, secrets.responder))).toMatchObject({ code: 0 });

  const file = join(folder, "token");
  await writeFile(file, `${secrets.viewer}\n`);
  const read = await runOnPaper(["history", "checkout", "--token-file", file], at(url));
  expect(read).toMatchObject({ code: 0, stdout: expect.stringContaining("by responder-token") });
});

test("exit 1: the store is out of reach, and the change will not land later", async () => {
  const store = createTroubledStore(createMemoryStore({ clock: systemClock }));
  const { url } = await admin({ store });
  store.mood("fail");
  const { code, stderr } = await runOnPaper(["set", "checkout", "5", "--reason", "x"], at(url));
  expect(code).toBe(1);
  expect(stderr).toContain("refused (store_unavailable)");
  expect(stderr).toContain("will not land later");
});

test("exit 2: bad usage", async () => {
  for (const argv of [
    ["set", "checkout", "101", "--reason", "x"],
    ["set", "checkout", "12,5", "--reason", "x"],
    ["resume", "checkout"],
    ["plan", "checkout", "forget"],
    ["undo", "checkout"],
    [],
  ]) {
    expect(await runOnPaper(argv)).toMatchObject({ code: 2, stdout: "" });
  }
  const { code, stderr } = await runCutover(["set", "checkout", "25"]);
  expect(code).toBe(2);
  expect(stderr).toContain('Usage: cutover set checkout 25 --reason "WHY"');
});

test("exit 2: a bad configuration, each problem with its place", async () => {
  const file = join(folder, "bad.yaml");
  await writeFile(file, "upstreams:\n  shop: { url: nonsense }\ndefault: shop\nlisten: 80\n");
  for (const command of ["check", "serve"]) {
    const { code, stdout, stderr } = await runCutover([command, "--config", file]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(`${file}:2:`);
    expect(stderr).toContain(`${file}:4:1`);
  }
  const json = await runCutover(["check", "--json", "--config", file]);
  expect(json.code).toBe(2);
  expect(JSON.parse(json.stdout)).toMatchObject({
    ok: false,
    problems: [{ line: 2 }, { line: 4, column: 1 }],
  });
  expect(await runCutover(["check", "--config", join(folder, "missing.yaml")])).toMatchObject({ code: 2 });
});

test("check --try prints what each side would get, no secret in it, and sends nothing", async () => {
  const file = join(folder, "rewrite.yaml");
  const lines = [
    "upstreams:",
    '  old: { url: "http://127.0.0.1:1" }',
    "  next:",
    '    url: "https://market.example"',
    "    host: upstream",
    "    rewrite:",
    '      path: [{ from: "/checkout", to: "/api/v2/checkout" }]',
    `      request: { set: { Authorization: "Bearer \${TOKEN}", X-Shopper: "{shopper}" } }`,
    "default: next",
    "cutovers:",
    "  shop:",
    "    legacy: old",
    "    new: next",
    '    shopper: ["header:x-account", visitor]',
    '    routes: [{ name: start, path: "/checkout", methods: [POST] }]',
  ];
  await writeFile(file, lines.join("\n"));
  const asked = ["check", "--config", file, "--try", "POST https://shop.example/checkout?x=1"];
  const { code, stdout, stderr } = await runCutover(asked, { env: { TOKEN: "hunter2" } });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toContain("\nlegacy: old\n  POST /checkout?x=1 HTTP/1.1\n  Host: shop.example\n");
  expect(stdout).toContain("\nnew: next\n  POST /api/v2/checkout?x=1 HTTP/1.1\n  Host: market.example\n");
  expect(stdout).toContain(`\n  Authorization: Bearer \${TOKEN}\n  X-Shopper: {shopper}\n`);
  expect(stdout).not.toContain("hunter2");
});

test("exit 3: nothing listens there, no such host, not the admin API", async () => {
  const closed = await startAdmin();
  await closed.close();
  const refused = await runCutover(["rollback", "checkout"], at(closed.url));
  expect(refused).toMatchObject({ code: 3, stdout: "" });
  expect(refused.stderr).toContain("connection refused");
  expect(refused.stderr).toContain("Nothing was sent, so nothing was changed.");
  expect(await runOnPaper(["watch"], at(closed.url))).toMatchObject({ code: 3 });

  expect(await runOnPaper(["status"], at("http://no-such-host.invalid"))).toMatchObject({ code: 3 });

  const shop = await listen(createHttpServer((_request, response) => response.end("<h1>shop</h1>")));
  const foreign = await runOnPaper(["status"], at(shop));
  expect(foreign).toMatchObject({ code: 3, stderr: expect.stringContaining("not as cutover's admin API") });
});

test("exit 3: an admin API that does not answer in waitMs + 5 s, or breaks off: the outcome is not known", async () => {
  const silent = await listen(createServer(() => undefined));
  const begun = performance.now();
  const late = await runOnPaper(["hold", "checkout", "--wait", "0"], at(silent));
  expect(performance.now() - begun).toBeGreaterThanOrEqual(5000);
  expect(late).toMatchObject({ code: 3, stderr: expect.stringContaining("no answer within 5 s") });
  expect(late.stderr).toContain("not known. Look before you repeat it: cutover status checkout");

  const broken = await listen(createServer((socket) => socket.once("data", () => socket.resetAndDestroy())));
  const reset = await runOnPaper(["hold", "checkout"], at(broken));
  expect(reset).toMatchObject({ code: 3, stderr: expect.stringContaining("not known") });
});

test("exit 4: accepted, but an instance has not applied it in time", async () => {
  const { url, store } = await admin();
  const now = new Date().toISOString();
  const renew = () =>
    store.acknowledge({ id: "two", startedAt: now, seenAt: now, versions: { checkout: 0 }, traffic: {} });
  await renew();
  const lease = setInterval(() => void renew(), 1000);
  endings.push(async () => clearInterval(lease));
  const { code, stdout, stderr } = await runCutover(
    ["set", "checkout", "5", "--reason", "x", "--wait", "200ms"],
    at(url),
  );
  expect(code).toBe(4);
  expect(stdout).toContain("version 1, applied on 1 of 2 instances");
  expect(stderr).toContain("version 1 stands in the store, but 1 instance of 2 had not applied it");
  expect(stderr).toContain("cutover watch checkout");
});

test("watch prints a line a change, says when it is stale, tries again, and ends with 0 on Ctrl-C", async () => {
  const store = createMemoryStore({ clock: systemClock });
  endings.push(() => store.close());
  const first = await startAdmin({ store });
  const watching = startCutover(["watch", "checkout"], at(first.url));
  await watching.until((stdout) => stdout.includes("checkout: 0% on new, open, version 0, never changed"));
  await runOnPaper(["set", "checkout", "10", "--reason", "first\nstep"], at(first.url));
  await watching.until((stdout) =>
    /checkout: 10% on new, open, version 1, by .*: first\\nstep\n/.test(stdout),
  );

  await first.close();
  await watching.until((_, stderr) => /stale since \d\d:\d\d:\d\d, trying again/.test(stderr));
  await admin({ store, port: first.port });
  await watching.until((_, stderr) => stderr.includes("live again"));
  await runOnPaper(["hold", "checkout"], at(first.url));
  await watching.until((stdout) => stdout.includes("10% on new, HELD, version 2"));
  watching.child.kill("SIGINT");
  expect(await watching.finished).toMatchObject({ code: 0 });
});

test("watch --json prints an object a line", async () => {
  const { url } = await admin();
  const watching = startCutover(["watch", "--json"], at(url));
  const { stdout } = await watching.until((text) => text.split("\n").length > 2);
  const events = stdout
    .split("\n")
    .slice(0, 2)
    .map((line): unknown => JSON.parse(line));
  expect(events).toMatchObject([
    { event: "snapshot", cutovers: [{ name: "checkout" }] },
    { event: "metrics" },
  ]);
  watching.child.kill("SIGTERM");
  expect(await watching.finished).toMatchObject({ code: 0, stderr: "" });
});

test("watch of a cutover there is not: exit 1", async () => {
  const { url } = await admin();
  expect(await runOnPaper(["watch", "nope"], at(url))).toMatchObject({ code: 1, stdout: "" });
});

test("a reader that goes away is no error", async () => {
  const { url } = await admin();
  const watching = startCutover(["watch", "--json"], at(url));
  await watching.until((stdout) => stdout !== "");
  watching.child.stdout.destroy();
  expect(await watching.finished).toMatchObject({ code: 0, stderr: "" });
});

test("serve says ready with its addresses, answers the other commands, and ends with 0 on SIGTERM", async () => {
  const file = join(folder, "cutover.yaml");
  const config = [
    "listeners: { proxy: { port: 0 }, admin: { port: 0 } }",
    "store: 'memory:'",
    "snapshot: off",
    "audit: off",
    "upstreams:",
    "  social-shop: { url: 'http://127.0.0.1:7001' }",
    "  marketplace: { url: 'http://127.0.0.1:7002' }",
    "default: marketplace",
    "cutovers:",
    "  checkout:",
    "    legacy: social-shop",
    "    new: marketplace",
    "    shopper: ['header:x-shopper-id']",
    "    routes: [{ name: cart, path: '/cart/*' }]",
  ];
  await writeFile(file, config.join("\n"));
  expect(await runCutover(["check", "--config", file])).toMatchObject({ code: 0, stdout: "ok\n" });

  const serving = startCutover(["serve", "--config", file], { cwd: folder });
  endings.push(async () => serving.child.kill("SIGKILL"));
  const { stdout } = await serving.until((text) => text.includes('"msg":"ready"'));
  const ready: unknown = JSON.parse(stdout.split("\n").find((line) => line.includes('"msg":"ready"')) ?? "");
  expect(ready).toMatchObject({
    proxy: expect.stringMatching(/^http:/),
    admin: expect.stringMatching(/^http:/),
  });
  const url = /"admin":"([^"]+)"/.exec(stdout)?.[1] ?? "";
  expect(
    await runOnPaper(["set", "checkout", "100", "--reason", "x", "--confirm=100"], at(url)),
  ).toMatchObject({ code: 0 });
  const explain = await runOnPaper(["explain", "checkout", "--shopper", "s1", "--path", "/cart/1"], at(url));
  expect(explain).toMatchObject({ code: 0, stdout: expect.stringContaining("checkout: new, because") });

  serving.child.kill("SIGTERM");
  expect(await serving.finished).toMatchObject({ code: 0 });
  expect(await runOnPaper(["status"], at(url))).toMatchObject({ code: 3 });
});

test("serve on a taken port: exit 1 with what to do", async () => {
  const taken = new URL(await listen(createServer())).port;
  const file = join(folder, "taken.yaml");
  await writeFile(
    file,
    `listeners: { proxy: { port: ${taken} }, admin: { port: 0 } }\nstore: 'memory:'\nsnapshot: off\naudit: off\n` +
      "upstreams: { shop: { url: 'http://127.0.0.1:7001' } }\ndefault: shop\n",
  );
  const { code, stderr } = await runCutover(["serve", "--config", file], { cwd: folder });
  expect(code).toBe(1);
  expect(stderr).toContain("Something listens there already");
});

test("doctor finds what is well and what is not, with the fix; exit 1 when something failed", async () => {
  const { url } = await admin({ auth: tokens });
  const upstream = await listen(createHttpServer());
  const file = join(folder, "doctor.yaml");
  const text = (other: string) =>
    `store: 'file:${join(folder, "doctor", "state.json")}'\nupstreams:\n  a: { url: '${upstream}' }\n  b: { url: '${other}' }\ndefault: a\n`;
  await writeFile(file, text(upstream));
  const well = await runCutover(["doctor", "--config", file], at(url, secrets.viewer));
  expect(well).toMatchObject({ code: 0, stderr: "" });
  expect(well.stdout).toMatch(/^ok {4}configuration /);
  expect(well.stdout).toMatch(/\nok {4}token +known as viewer-token, role viewer\n/);
  expect(well.stdout).toMatch(/\nok {4}clock of the instance +\d+ ms /);

  await writeFile(file, text("http://127.0.0.1:1"));
  const ill = await runCutover(["doctor", "--config", file, "--json"], at("http://127.0.0.1:1"));
  expect(ill.code).toBe(1);
  expect(JSON.parse(ill.stdout)).toEqual(
    expect.arrayContaining([
      { check: "upstream b", verdict: "fail", said: "no connection: ECONNREFUSED", fix: expect.any(String) },
      {
        check: "admin API",
        verdict: "fail",
        said: expect.stringContaining("out of reach"),
        fix: expect.any(String),
      },
    ]),
  );
});
