/**
 * Two releases of a shop (src/demo/storefronts) behind the built program, by the configuration of its demonstration; and
 * what is to be said of shoppers who have been there.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { demoOf } from "../../src/demo/kinds.ts";
import { createStorefront, type dialects, type Storefront } from "../../src/demo/storefronts/storefront.ts";
import { type AdminApi, createAdminApi } from "./admin-api.ts";
import { type Served, startServe } from "./cutover.ts";

/** How each shop writes the numbers of its orders. */
export const orderFormats = { legacy: "SS", new: "INV" } as const;

/** The demonstration's cutover, by which buckets are reckoned. */
export const salt = "checkout";

export interface Storefronts {
  readonly shops: { readonly legacy: Storefront; readonly new: Storefront };
  readonly serve: Served;
  readonly admin: AdminApi;
  close(): Promise<void>;
}

interface StorefrontsOptions {
  readonly dialect: (typeof dialects)[number];
  /** Where the shops send whoever pays. */
  readonly bankUrl?: string;
  /** What is otherwise in the configuration. */
  readonly change?: (yaml: string) => string;
}

/** Rejects when one of them cannot start; those that have are closed again then. */
export async function openStorefronts(options: StorefrontsOptions): Promise<Storefronts> {
  const { dialect, bankUrl, change = (yaml) => yaml } = options;
  const endings: (() => Promise<unknown>)[] = [];
  const close = async () => {
    for (const end of endings.splice(0).reverse()) await end();
  };
  const open = async (side: "legacy" | "new", name: string, release: string, base: string) => {
    const own = { name, release, base, orderFormat: orderFormats[side] };
    const bank = bankUrl === undefined ? {} : { bankUrl };
    const shop = await createStorefront({ ...own, ...bank, dialect, port: 0 });
    endings.push(() => shop.close());
    return shop;
  };
  try {
    const folder = await mkdtemp(join(tmpdir(), "cutover-storefronts-"));
    endings.push(() => rm(folder, { recursive: true }));
    const shops = {
      legacy: await open("legacy", "social-shop", "2019-3", ""),
      new: await open("new", "marketplace", "2023-12", "/store"),
    };
    const yaml = (await readFile(demoOf(dialect).path, "utf8"))
      .replace("http://127.0.0.1:7001", shops.legacy.url)
      .replace("http://127.0.0.1:7002", shops.new.url)
      .replace("port: 8080", "port: 0")
      .replace("port: 9900", "port: 0")
      .replace("file:var/state.json", '"memory:"');
    const serve = await startServe({ folder, name: dialect, yaml: change(yaml) });
    endings.push(() => serve.kill());
    const admin = createAdminApi(serve.admin);
    endings.push(() => admin.close());
    return { shops, serve, admin, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Who goes through a shop: a browser's user, or an app. */
export interface Passer {
  /** The shops that answered, one of each after another. */
  readonly seen: readonly string[];
  readonly troubles: readonly string[];
}

const atOnce = 16;

/** Has each of them go, some at the same time. */
export async function all<Someone>(
  shoppers: readonly Someone[],
  go: (shopper: Someone, index: number) => Promise<void>,
): Promise<void> {
  const left = shoppers.entries();
  const run = async () => {
    for (const [index, shopper] of left) await go(shopper, index);
  };
  await Promise.all(Array.from({ length: atOnce }, run));
}

/** Those that saw anything but that one shop, or trouble. */
export function amiss<Someone extends Passer>(
  shoppers: readonly Someone[],
  nameOf: (shopper: Someone) => string | undefined,
  shopOf: (shopper: Someone) => string,
): string[] {
  return shoppers
    .filter(({ seen, troubles }) => seen.length === 0 || troubles.length > 0)
    .map(({ troubles }) => troubles.join(", "))
    .concat(
      shoppers
        .filter((shopper) => shopper.seen.some((shop) => shop !== shopOf(shopper)))
        .map((shopper) => `${nameOf(shopper)} belongs to ${shopOf(shopper)}: ${shopper.seen.join(" ")}`),
    );
}

/** What no shop may have counted: goods of another release, an order without a cart, one paid twice, one unknown. */
export const nothingLost = { strangeAssets: 0, emptyCheckouts: 0, paidTwice: 0, unknownOrders: 0 } as const;
