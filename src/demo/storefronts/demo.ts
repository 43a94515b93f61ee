/**
 * The demonstration on shops as shops are: the proxy, two releases of one shop behind it, a bank where forms are paid, and
 * shoppers with browsers. Every ten seconds one line of what they saw.
 */
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { Config } from "../../config/schema.ts";
import { createBank } from "./bank.ts";
import { createStorefrontShopper, stretches } from "./shopper.ts";
import { createStorefront, type Storefront, type StorefrontOptions } from "./storefront.ts";

interface StorefrontDemoOptions {
  /** With the upstreams that `dialect` needs (config/demo-*.yaml). */
  readonly config: Config;
  readonly dialect: StorefrontOptions["dialect"];
  readonly startInstance: (
    config: Config,
    options: { readonly logPath: string },
  ) => Promise<{
    readonly proxy: { readonly url: string };
    readonly admin: { readonly url: string };
    close(): Promise<void>;
  }>;
  /** Prints whole lines, the last without its line feed. */
  readonly print: (text: string) => void;
  readonly logPath?: string;
  /** Shoppers that arrive each second; default 2. */
  readonly rate?: number;
  readonly summaryEveryMs?: number;
}

interface StorefrontDemo {
  readonly proxyUrl: string;
  readonly adminUrl: string;
  readonly legacy: Storefront;
  readonly new: Storefront;
  /** Ends all of it; asked again, gives the same promise. */
  stop(): Promise<void>;
}

/** Where the bank listens: another host than the proxy's, as browsers see it. */
const bankPort = 7003;
const thinkMs = 400;

export async function runStorefrontDemo(options: StorefrontDemoOptions): Promise<StorefrontDemo> {
  const { config, dialect, print, logPath = "var/demo/demo.log", rate = 2 } = options;
  const running: (() => Promise<void>)[] = [];
  let stopping: Promise<unknown> | undefined;
  const stop = async () => {
    stopping ??= Promise.all(running.toReversed().map((end) => end()));
    await stopping;
  };
  try {
    await mkdir(dirname(logPath), { recursive: true });
    const instance = await options.startInstance(config, { logPath });
    running.push(() => instance.close());
    const proxyUrl = instance.proxy.url.replace(/\/$/, "");
    const bank = await createBank("127.0.0.1", bankPort, () => `${proxyUrl}/?route=payment/return`);
    running.push(() => bank.close(0));
    const bankUrl = bank.url.replace("127.0.0.1", "localhost");
    const open = async (name: string, release: string, base: string, orderFormat: "SS" | "INV") => {
      const { hostname, port } = new URL(config.upstreams[name]?.url ?? "http://127.0.0.1:0");
      const at = { host: hostname, port: Number(port) };
      const shop = await createStorefront({ name, dialect, release, base, orderFormat, bankUrl, ...at });
      running.push(() => shop.close());
      return shop;
    };
    const [cutover] = Object.values(config.cutovers);
    if (cutover === undefined) throw new Error("the configuration has no cutover to demonstrate");
    const legacy = await open(cutover.legacy, "2019-3", "", "SS");
    const next = await open(cutover.new, "2023-12", "/store", "INV");
    const shoppers = walkThrough({ origin: proxyUrl, dialect, rate, shops: [legacy, next] });
    running.push(() => shoppers.stop());
    const adminUrl = instance.admin.url.replace(/\/$/, "");
    print(
      [
        `\n  shop        ${proxyUrl}/   (open it in a browser)`,
        `  admin page  ${adminUrl}/`,
        `  ${legacy.name} ${legacy.url}  (legacy)\n  ${next.name} ${next.url}  (new)`,
        `\nMove a quarter: npx cutover set checkout 25 --reason "first step"\nCtrl-C ends all of it.\n`,
      ].join("\n"),
    );
    const summaries = setInterval(() => print(shoppers.line()), options.summaryEveryMs ?? 10_000);
    running.push(async () => clearInterval(summaries));
    return { proxyUrl, adminUrl, legacy, new: next, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Walking {
  readonly origin: string;
  readonly dialect: StorefrontOptions["dialect"];
  readonly rate: number;
  readonly shops: readonly [Storefront, Storefront];
}

function walkThrough({ origin, dialect, rate, shops: [legacy, next] }: Walking) {
  const stopping = new AbortController();
  const { signal } = stopping;
  const underWay = new Set<Promise<void>>();
  const counts = { visits: 0, onNew: 0, changed: 0, troubles: 0 };
  const pause = (ms: number) => wait(ms, undefined, { signal }).catch(() => undefined);

  async function walk(): Promise<void> {
    const shopper = createStorefrontShopper({ origin, dialect });
    for (const stretch of stretches) {
      if (signal.aborted) return;
      await shopper.go(stretch);
      await pause(thinkMs * (0.5 + Math.random()));
    }
    const shops = new Set(shopper.seen);
    counts.visits += 1;
    if (shops.size > 1) counts.changed += 1;
    else if (shops.has(next.name)) counts.onNew += 1;
    counts.troubles += shopper.troubles.length;
  }

  async function arrive(): Promise<void> {
    while (!signal.aborted) {
      const walking = walk().catch(() => {
        if (!signal.aborted) counts.troubles += 1;
      });
      underWay.add(walking);
      void walking.finally(() => underWay.delete(walking));
      await pause(1000 / rate);
    }
  }

  const arrivals = arrive();
  return {
    line() {
      const orders = `${legacy.counts().orders} ${legacy.name}, ${next.counts().orders} ${next.name}`;
      return `${counts.visits} visits, ${counts.onNew} on ${next.name}, ${counts.changed} changed shops · orders: ${orders} · ${counts.troubles} troubles`;
    },
    async stop() {
      stopping.abort();
      await arrivals;
      await Promise.all(underWay);
    },
  };
}
