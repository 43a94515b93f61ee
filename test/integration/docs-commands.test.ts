/**
 * Every command of README and the runbooks, in order, as it stands there: README's on the demo it starts, the runbooks'
 * on one instance and one Redis that goes as they say. A command's exit code is 0 unless its comment says another.
 */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { checkout } from "../support/cutover.ts";
import {
  accepts,
  type Background,
  createShell,
  type Shell,
  type Typed,
  typedIn,
} from "../support/docs-commands.ts";
import { freePort } from "../support/free-port.ts";
import { type Sides, startSides } from "../support/sides.ts";
import { eventually } from "../support/until.ts";

let shell: Shell;
let sides: Sides;
/** What listens on Redis's port, and what on the proxy's. */
let redis: Background | undefined;
let proxy: Background | undefined;

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), "cutover-docs-"));
  const [social = 0, market = 0, ...others] = await Promise.all([1, 2, 3, 4, 5].map(() => freePort()));
  const [http = 0, admin = 0, store = 0] = others;
  shell = await createShell(folder, {
    ...{ 8080: http, 9900: admin, 6379: store },
    ...{ 7001: social, 7002: market, 7101: social + 100, 7102: market + 100 },
  });
  const config = join(folder, "config/cutover.yaml");
  await writeFile(config, shell.placed(await readFile(config, "utf8")));
  sides = await startSides();
});
afterAll(async () => {
  await shell.close();
  await sides.stop();
  await rm(shell.folder, { recursive: true, force: true });
});

const here = (port: number) => shell.ports[port] ?? 0;
const adminUrl = () => `http://127.0.0.1:${here(9900)}`;

async function startProxy(text: string): Promise<void> {
  await proxy?.end("SIGINT");
  proxy = await shell.start(
    text,
    (out) => out.includes("Ctrl-C ends all of it") || out.includes('"msg":"ready"'),
  );
}

/** A copy is handed out at once: by itself Redis would wait 5 s for others that want one. */
async function startRedis(
  text = "redis-server --port 6379 --save '' --repl-diskless-sync-delay 0",
): Promise<void> {
  await endRedis();
  redis = await shell.start(text, () => accepts(here(6379)));
}

async function endRedis(): Promise<void> {
  await redis?.end("SIGKILL");
  redis = undefined;
}

const ready = z.looseObject({ store: z.looseObject({ up: z.boolean(), writable: z.boolean() }) });

/** Whether the instance says that its store is well. */
async function hasStore(): Promise<boolean> {
  const answer = await fetch(`${adminUrl()}/health/ready`);
  const { up, writable } = ready.parse(await answer.json()).store;
  return up && writable;
}

const storeIsBack = () => eventually("the store is back", hasStore, 20_000);
const storeIsLost = () => eventually("the store is lost", async () => !(await hasStore()), 10_000);

async function historyHas(action: string): Promise<boolean> {
  return (await shell.run("cutover history checkout --limit 5")).out.includes(action);
}

/** Types it as a person does. @returns what was said */
async function type({ file, line, text, exit }: Typed): Promise<string> {
  const where = `${file}:${line} ${text}`;
  if (/^npm ci && npm start|^npx cutover (?:demo|serve)\b/.test(text)) {
    await startProxy(text.replace(/^npm ci && /, ""));
    return "";
  }
  if (/^redis-server .*&$/.test(text)) {
    await startRedis(text.slice(0, -1));
    if (proxy !== undefined && file !== "README.md") await storeIsBack();
    return "";
  }
  if (/cutover watch/.test(text)) {
    const watching = await shell.start(text, (out) => out.includes("checkout"));
    expect(await watching.end("SIGINT"), where).toBe(0);
    return "";
  }
  const { code, out } = await shell.run(text);
  expect(code, `${where}\n${out}`).toBe(exit);
  return out;
}

test("README's commands do what it says, on the demo that the first of them starts", async () => {
  const said = new Map<string, string>();
  for (const typed of await typedIn("README.md")) {
    await stagedFor(before, typed)?.();
    said.set(typed.text.replace(/\s*#.*$/, ""), await type(typed));
  }
  expect(said.get("npx cutover rollback checkout")).toContain("rolled back → legacy 100% / new 0%");
  expect(said.get("npx cutover explain checkout --shopper ana")).toMatch(/^checkout: /);
  expect(said.get("npx cutover history checkout")).toContain("out_of_band");
  await proxy?.end("SIGINT");
  proxy = undefined;
  await endRedis();
}, 120_000);

/** What is so before a command is typed, where that is not how things were left; by the file and how the command begins. */
const before: Readonly<Record<string, () => Promise<unknown>>> = {
  "README.md npx cutover history checkout                          # followed": () =>
    eventually("the hand edit is followed", () => historyHas("out_of_band"), 5000),
  async "rollback.md cutover rollback checkout --admin-url"() {
    await shell.run('cutover resume checkout --reason "as if nothing had been done yet"');
    await endRedis();
    await storeIsLost();
  },
  "rollback.md export": () => startRedis().then(storeIsBack),
  "redis-gone.md cutover status checkout                    # answers": () => endRedis().then(storeIsLost),
  "redis-gone.md redis-cli --rdb cutover-backup.rdb": () => startRedis().then(storeIsBack),
  async "redis-gone.md while"() {
    await writeFile(join(shell.folder, "orders.csv"), "SS-1041,legacy\nINV-7,new\n");
    await rm(join(shell.folder, "appendonlydir"), { recursive: true, force: true });
    await startRedis();
    await storeIsBack();
  },
  "redis-gone.md cutover history checkout --limit 5": () =>
    eventually("what one instance was told is recorded", () => historyHas("reconciled"), 15_000),
};

/** What is said. */
const says: Readonly<Record<string, RegExp>> = {
  "rollback.md cutover rollback checkout --wait": /rolled back/,
  "rollback.md cutover rollback checkout --admin-url": /on this one instance alone/,
  "rollback.md cutover status": /ROLLED BACK[\s\S]*applied on 1 of 1 instance/,
  "redis-gone.md cutover owner checkout INV-7": /INV-7 is new's/,
  "redis-gone.md cutover owner checkout drill-1    ": /drill-1 is new's/,
};

function stagedFor<T>(table: Readonly<Record<string, T>>, { file, text }: Typed): T | undefined {
  const typed = `${file.replace("docs/runbooks/", "")} ${text}`;
  return Object.entries(table).find(([begins]) => typed.startsWith(begins))?.[1];
}

describe("the runbooks' commands, on one instance", () => {
  beforeAll(async () => {
    const config = [
      `listeners: { proxy: { port: ${here(8080)} }, admin: { port: ${here(9900)} } }`,
      `store: redis://127.0.0.1:${here(6379)}`,
      `upstreams: { social-shop: { url: "${sides.legacy}" }, marketplace: { url: "${sides.new}" } }`,
      "default: social-shop",
      "cutovers:",
      "  checkout:",
      "    legacy: social-shop",
      "    new: marketplace",
      '    shopper: ["header:x-shopper-id"]',
      "    routes: [{ name: pay, path: '/orders/:orderId/pay', methods: [POST], payment: true }]",
      '    owners: [{ key: ["param:orderId"], learn: ["header:location"], ttl: 180d }]',
    ];
    await writeFile(join(shell.folder, "config/cutover.yaml"), `${config.join("\n")}\n`);
    await startRedis();
    await startProxy("cutover serve");
    await writeFile(join(shell.folder, "serve.pid"), String(proxy?.pid));
    await storeIsBack();
    await shell.run('cutover set checkout 10 --reason "a step"');
  });

  test.each(["rollback.md", "redis-gone.md"])(
    "%s",
    async (name) => {
      for (const typed of await typedIn(`docs/runbooks/${name}`)) {
        await stagedFor(before, typed)?.();
        const out = await type(typed);
        const expected = stagedFor(says, typed);
        if (expected !== undefined) expect(out, typed.text).toMatch(expected);
      }
    },
    180_000,
  );

  test("a page for each alert", async () => {
    const files = (await readdir(join(checkout, "docs/runbooks"))).filter((file) =>
      file.startsWith("Cutover"),
    );
    expect(files.length).toBeGreaterThan(10);
    // Many pages begin alike.
    const done = new Set<string>();
    for (const file of files) {
      const typed = await typedIn(`docs/runbooks/${file}`);
      expect(typed.length, file).toBeGreaterThan(0);
      for (const each of typed) {
        const bare = each.text.replace(/\s*#.*$/, "");
        if (!done.has(bare)) await type(each);
        done.add(bare);
      }
    }
  }, 180_000);
});
