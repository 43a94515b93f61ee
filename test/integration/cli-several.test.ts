/** Several addresses in --admin-url: the first that answers is read; a rollback without the store is told to every one. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { createMemoryStore } from "../../src/state/store/in-process.ts";
import { type AdminFixture, startAdmin } from "../support/admin-fixture.ts";
import { startBrokenServers } from "../support/broken-servers.ts";
import { runOnPaper } from "../support/paper-terminal.ts";
import { createTroubledStore, type TroubledStore } from "../support/troubled-store.ts";

const names = ["checkout", "returns", "search"];
let stores: TroubledStore[] = [];
let fleet: AdminFixture[] = [];
let broken: Awaited<ReturnType<typeof startBrokenServers>>;
const inner = createMemoryStore({ clock: systemClock });

beforeAll(async () => {
  broken = await startBrokenServers();
  stores = ["a", "b"].map(() => createTroubledStore(inner));
  fleet = await Promise.all(stores.map((store, n) => startAdmin({ names, store, id: `shop-${n}` })));
});
afterAll(async () => {
  for (const store of stores) store.mood("well");
  await Promise.all(fleet.map((fixture) => fixture.close()));
  await inner.close();
  broken.close();
});

const at = (way: string) => broken.all.find((server) => server.way === way)?.url ?? "";
const first = () => fleet[0]?.url ?? "";
const both = () => fleet.map(({ url }) => url).join(",");
const run = (urls: string, ...argv: string[]) => runOnPaper(argv, { env: { CUTOVER_ADMIN_URL: urls } });

test("who reads hears the first that answers, whatever the others do", async () => {
  const { code, stdout } = await run(
    `${at("hangs")}, ${at("closes at once")}, ${first()}`,
    "status",
    "checkout",
  );
  expect(code).toBe(0);
  expect(stdout).toContain("checkout   0% on new");
});

test("a change is made once: at the next where nothing was sent, and nowhere else where it may have been", async () => {
  const refused = "http://127.0.0.1:1";
  const set = (urls: string) => run(urls, "set", "checkout", "20", "--reason", "x", "--confirm=20");
  expect(await set(`${refused},${both()}`)).toMatchObject({ code: 0 });
  const { code, stderr } = await set(`${at("closes after the request")},${first()}`);
  expect(code).toBe(3);
  expect(stderr).toContain("Whether the change was made is not known.");
});

test("a rollback goes past an address that hangs", async () => {
  const { code, stdout } = await run(`${at("hangs")},${first()}`, "rollback", "returns");
  expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining("returns: ") });
});

test("when none answers, each is named with its own reason", async () => {
  const urls = [at("closes at once"), at("answers HTML"), "http://127.0.0.1:1"];
  const { code, stderr } = await run(urls.join(","), "rollback", "checkout");
  expect(code).toBe(3);
  for (const why of ["the connection broke", "HTTP 200", "connection refused"]) expect(stderr).toContain(why);
});

test("a name that is none is told with the one that may have been meant", async () => {
  for (const verb of ["status", "watch", "rollback", "history"]) {
    const { code, stderr } = await run(first(), verb, "chekout");
    expect({ verb, code }).toEqual({ verb, code: 1 });
    expect(stderr).toContain("refused (not_found): no such cutover: did you mean checkout?");
  }
});

test("one of several that is no address is bad usage", async () => {
  expect(await run(`${first()},ftp://x`, "status")).toMatchObject({ code: 2 });
});

test("without the store every one is told, one line each; again it says so; exit 0 once all known have answered", async () => {
  for (const { url } of fleet) await run(url, "status");
  for (const store of stores) store.mood("fail");
  const one = await run(first(), "rollback", "search");
  expect(one.code).toBe(4);
  expect(one.stderr).toContain("instance shop-1: last heard of at");

  const { code, stdout, stderr } = await run(both(), "rollback", "search");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const [a, b] = stdout.split("\n");
  expect([a, b].sort()).toEqual([
    expect.stringMatching(/^shop-0: search already rolled back, version 0, on this one instance alone/),
    expect.stringMatching(/^shop-1: search rolled back, version 0, on this one instance alone/),
  ]);
  const again = await run(both(), "rollback", "search");
  expect(again.code).toBe(0);
  expect(again.stdout.match(/already rolled back/g)).toHaveLength(2);
  const part = await run(`${first()},${at("closes at once")}`, "rollback", "search");
  expect(part.code).toBe(4);
  expect(part.stdout).toMatch(/^http:\S+: ! not done: .*the connection broke/m);
  expect(part.stderr).toContain("instance shop-1: last heard of at");
});

test("a fleet that was rolled back before the store went away is said to be, exit 0", async () => {
  const { code, stdout, stderr } = await run(first(), "rollback", "returns");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toContain(
    "returns: nothing to change, already rolled back → legacy 100% / new 0%, version 1, on 2 of 2 instances when the store was last heard of",
  );
});

test("without the store --all tells every instance of every cutover, a line each", async () => {
  const { code, stdout, stderr } = await run(both(), "rollback", "--all");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  for (const name of ["shop-0: checkout", "shop-1: checkout", "shop-0: search", "shop-1: search"]) {
    expect(stdout).toMatch(new RegExp(`^${name} (already )?rolled back, .*on this one instance alone`, "m"));
  }
  const part = await run(`${first()},${at("closes at once")}`, "rollback", "--all", "--json");
  expect(part.code).toBe(4);
  expect(JSON.parse(part.stdout)).toMatchObject([
    { name: "checkout", state: "rolled_back" },
    { name: "returns", state: "rolled_back" },
    { name: "search", state: "rolled_back" },
  ]);
});
