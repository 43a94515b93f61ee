import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { bundleInto } from "../../support/bundled-program.ts";

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

let folder: string;
const programs = new Map<string, string>();
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cutover-processes-"));
  for (const entry of ["shop-process.ts", "shoppers-process.ts"]) {
    const path = fileURLToPath(new URL(`../../../src/demo/${entry}`, import.meta.url));
    programs.set(entry, await bundleInto(folder, path));
  }
});
afterAll(() => rm(folder, { recursive: true }));

function run(entry: string, env: Record<string, string>) {
  const child = spawn(process.execPath, [programs.get(entry) ?? ""], {
    env: { PATH: process.env.PATH ?? "", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.push(child);
  const exited = once(child, "exit");
  const errors: string[] = [];
  child.stderr.on("data", (chunk: Buffer) => errors.push(chunk.toString()));
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  return {
    next: async (): Promise<unknown> => {
      const line = await lines.next();
      return line.done === true ? undefined : JSON.parse(line.value);
    },
    stop: async (signal: "SIGINT" | "SIGTERM") => {
      child.kill(signal);
      return (await exited)[0];
    },
    exited: async () => (await exited)[0],
    errors: () => errors.join(""),
  };
}

const shopEnv = {
  NAME: "marketplace",
  ORDER_FORMAT: "INV",
  PORT: "0",
  CONTROL_PORT: "0",
  CALLBACK_URL: "http://127.0.0.1:9/callbacks/payment",
};
const readyShape = z.object({ msg: z.literal("ready"), shop: z.string(), url: z.url(), control: z.url() });

test("a shop and the shoppers run as processes, and leave with 0 on a signal", async () => {
  const shop = run("shop-process.ts", shopEnv);
  const { url, control } = readyShape.parse(await shop.next());
  const shoppers = run("shoppers-process.ts", { PROXY_URL: url, RATE: "50", SEED: "1" });
  expect(await shoppers.next()).toMatchObject({ msg: "ready", seed: 1 });
  const ordered = async () => {
    const response = await fetch(`${control}/orders`);
    return z.object({ orders: z.number() }).parse(await response.json()).orders;
  };
  await expect.poll(ordered, { timeout: 15_000 }).toBeGreaterThan(0);
  expect(await shoppers.stop("SIGINT")).toBe(0);
  expect(await shoppers.next()).toMatchObject({ msg: "stopped", underWay: 0, requests: { failed: 0 } });
  expect(await shop.stop("SIGTERM")).toBe(0);
  expect(shop.errors() + shoppers.errors()).toBe("");
});

test("a shop with a wrong environment says what was expected and leaves with 1", async () => {
  const shop = run("shop-process.ts", { ...shopEnv, ORDER_FORMAT: "XX", PORT: "" });
  expect(await shop.exited()).toBe(1);
  expect(shop.errors()).toContain("ORDER_FORMAT");
});
