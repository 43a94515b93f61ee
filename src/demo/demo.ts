/**
 * The demonstration, all in one process: the proxy, the two shops of the configuration's first cutover as its
 * upstreams, and sample shoppers; every ten seconds one line of what the shoppers saw.
 */
import { randomInt } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { request } from "undici";
import * as z from "zod";
import { codeOf } from "../base/errors.ts";
import type { Config } from "../config/schema.ts";
import { stateNames } from "../state/rules/model.ts";
import { withoutCredentials } from "./apart.ts";
import { greeting, type LeftOver, summaryLine } from "./demo-text.ts";
import { type DemoPlan, followPlan, planned } from "./plan.ts";
import { createShoppers, type Shoppers, type ShoppersOptions } from "./shoppers/shoppers.ts";
import type { OrderFormat } from "./shops/order-numbers.ts";
import { createShop, type Shop, type ShopOptions } from "./shops/shop.ts";

/** A running proxy. */
interface DemoInstance {
  readonly proxy: { readonly url: string };
  readonly admin: { readonly url: string };
  close(): Promise<void>;
}

export interface DemoOptions {
  readonly config: Config;
  /** Starts the proxy; its log goes to the file, so that the terminal stays readable. */
  readonly startInstance: (config: Config, options: { readonly logPath: string }) => Promise<DemoInstance>;
  /** Prints one or more whole lines, the last without its line feed. */
  readonly print: (text: string) => void;
  /** Default var/demo/demo.log, from the working directory. */
  readonly logPath?: string;
  /** How the sample shoppers behave; default 8 arrivals a second, another seed each time. */
  readonly shoppers?: Partial<Omit<ShoppersOptions, "proxyUrl">>;
  /** Both shops; default: the callback comes 2 s after the payment, the control port is the shop's + 100. */
  readonly shops?: { readonly callbackDelayMs?: number; readonly controlPorts?: "plus_100" | "any" };
  /** Default 10,000. */
  readonly summaryEveryMs?: number;
  /** Without it nothing is raised by itself. */
  readonly plan?: DemoPlan;
}

export interface Demo {
  readonly proxyUrl: string;
  readonly adminUrl: string;
  readonly legacy: Shop;
  readonly new: Shop;
  readonly shoppers: Shoppers;
  /** Closes everything; asked again, gives the same promise. */
  stop(): Promise<void>;
}

/** The demonstration cannot start; the message says why and what to do. */
class DemoError extends Error {
  override readonly name = "DemoError";
}

/** Rejects with `DemoError`, or as `startInstance` does; what was started is closed again. */
export async function runDemo(options: DemoOptions): Promise<Demo> {
  const { print, plan, logPath = "var/demo/demo.log", summaryEveryMs = 10_000 } = options;
  const config = plan === undefined ? options.config : planned(options.config, plan, Date.now());
  const [named] = Object.entries(config.cutovers);
  if (named === undefined) throw new DemoError("the configuration has no cutover to demonstrate");
  const [cutoverName, cutover] = named;

  const running: (() => Promise<void>)[] = [];
  let stopping: Promise<unknown> | undefined;
  async function stop(): Promise<void> {
    // All at once: the shoppers and the shops' callbacks are what the proxy would wait for.
    stopping ??= Promise.all(running.map((end) => end()));
    await stopping;
  }

  try {
    await mkdir(dirname(logPath), { recursive: true });
    const instance = await options.startInstance(config, { logPath });
    running.push(() => instance.close());
    const [proxyUrl, adminUrl] = [instance.proxy.url, instance.admin.url];

    const provider = {
      callbackUrl: new URL("/callbacks/payment", proxyUrl).href,
      delayMs: options.shops?.callbackDelayMs ?? 2000,
    };
    const open = async (name: string, orderFormat: OrderFormat) => {
      const shop = await createShop({ ...placeOf(config, name, options), name, orderFormat, provider });
      running.push(() => shop.close());
      return shop;
    };
    const legacy = await open(cutover.legacy, "SS");
    const next = await open(cutover.new, "INV");

    const rate = options.shoppers?.rate ?? 8;
    const seed = options.shoppers?.seed ?? randomInt(2 ** 31);
    const leftOver = await readLeftOver(adminUrl, cutoverName);
    const { store, prefix } = config;
    const at = { cutoverName, proxyUrl, adminUrl, store: withoutCredentials(store), prefix };
    print(greeting({ ...at, legacy, next, rate, seed, logPath, leftOver }));
    const shoppers = createShoppers({ ...options.shoppers, proxyUrl, rate, seed });
    running.push(() => shoppers.stop());

    let before = shoppers.tally();
    const summaries = setInterval(() => {
      const tally = shoppers.tally();
      print(summaryLine({ at: new Date(), before, tally, legacy: legacy.summary(), next: next.summary() }));
      before = tally;
    }, summaryEveryMs);
    running.push(async () => clearInterval(summaries));
    if (plan !== undefined) running.push(followPlan({ adminUrl, name: cutoverName, print }));

    return { proxyUrl, adminUrl, legacy, new: next, shoppers, stop };
  } catch (error) {
    await stop();
    throw explained(error);
  }
}

/** Where the configuration expects the upstream. */
function placeOf(
  config: Config,
  name: string,
  options: DemoOptions,
): Pick<ShopOptions, "host" | "port" | "controlPort"> {
  const upstream = config.upstreams[name];
  if (upstream === undefined) throw new DemoError(`the configuration has no upstream ${name}`);
  const { hostname, port } = new URL(upstream.url);
  const number = port === "" ? 80 : Number(port);
  const controlPort = options.shops?.controlPorts === "any" ? 0 : number + 100;
  return { host: hostname.replace(/^\[|\]$/g, ""), port: number, controlPort };
}

function explained(error: unknown): unknown {
  if (!(error instanceof Error) || codeOf(error) !== "EADDRINUSE") return error;
  const port = "port" in error ? `port ${String(error.port)}` : "a port of the demo";
  return new DemoError(`${port} is taken by another program (perhaps another demo): end it and try again`, {
    cause: error,
  });
}

const standing = z.object({ percent: z.number(), state: z.enum(stateNames) });
const patienceMs = 2000;

/** @returns `undefined` also when the admin API does not say: the demonstration goes on without */
async function readLeftOver(adminUrl: string, cutover: string): Promise<LeftOver | undefined> {
  try {
    const { body } = await request(new URL(`/api/v1/cutovers/${cutover}`, adminUrl), {
      reset: true,
      headersTimeout: patienceMs,
      bodyTimeout: patienceMs,
    });
    const { data } = standing.safeParse(await body.json());
    return data === undefined || (data.percent === 0 && data.state === "open") ? undefined : data;
  } catch {
    return undefined;
  }
}
