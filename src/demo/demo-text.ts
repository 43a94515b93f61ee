/** What the demonstration prints. PURE. */
import type { StateName } from "../state/rules/model.ts";
import { anomaliesOf, type Tally } from "./shoppers/tally.ts";
import type { Shop, ShopSummary } from "./shops/shop.ts";

/** What an earlier demonstration left in the store: a cutover that does not stand at 0 and open. */
export interface LeftOver {
  readonly percent: number;
  readonly state: StateName;
}

interface Greeting {
  readonly cutoverName: string;
  readonly proxyUrl: string;
  readonly adminUrl: string;
  readonly legacy: Shop;
  readonly next: Shop;
  readonly rate: number;
  readonly seed: number;
  readonly logPath: string;
  /** Nothing secret in it. */
  readonly store: string;
  /** Of its keys, where it is Redis. */
  readonly prefix: string;
  readonly leftOver: LeftOver | undefined;
}

const usualAdminUrl = "http://127.0.0.1:9900";

export function greeting(options: Greeting): string {
  const { cutoverName, proxyUrl, legacy, next, rate, seed, logPath, store, prefix } = options;
  const isRedis = store.startsWith("redis");
  const admin = options.adminUrl.replace(/\/$/, "");
  const cutover = `${admin === usualAdminUrl ? "" : `CUTOVER_ADMIN_URL=${admin} `}npx cutover`;
  const width = Math.max(12, `${legacy.name} faults`.length, `${next.name} faults`.length) + 2;
  const row = (label: string, value: string) => `  ${label.padEnd(width)}${value}`;
  return [
    "",
    row("proxy", proxyUrl),
    row("admin page", `${admin}/`),
    row("metrics", `${admin}/metrics`),
    row(legacy.name, `${legacy.url}  (legacy)`),
    row(`${legacy.name} faults`, `${legacy.controlUrl}/faults`),
    row(next.name, `${next.url}  (new)`),
    row(`${next.name} faults`, `${next.controlUrl}/faults`),
    row("store", isRedis ? `${store}, keys ${prefix}:…` : store),
    row("shoppers", `${rate} a second, seed ${seed}`),
    row("proxy's log", logPath),
    "",
    ...(options.leftOver === undefined
      ? []
      : [
          leftOverText(options.leftOver, cutoverName, cutover, isRedis ? `the keys ${prefix}:*` : "var/demo"),
          "",
        ]),
    "Three things to try in another terminal:",
    "",
    `  1  ${cutover} set ${cutoverName} 25 --reason "first step"`,
    `  2  curl -X POST ${next.controlUrl}/faults -d '{"failRate":0.5}'     # break ${next.name}`,
    `  3  ${cutover} rollback ${cutoverName}`,
    "",
    ...(isRedis
      ? [`By hand, and latched: redis-cli HSET '${prefix}:{${cutoverName}}' state rolled_back`]
      : []),
    `See it happen: ${cutover} watch. Make ${next.name} well again: curl -X DELETE ${next.controlUrl}/faults`,
    "Ctrl-C ends all of it.",
    "",
  ].join("\n");
}

/** @param kept where its state is */
function leftOverText({ percent, state }: LeftOver, name: string, cutover: string, kept: string): string {
  const before = `An earlier run left ${name}`;
  switch (state) {
    case "open":
      return `${before} at ${percent}%.`;
    case "held":
    case "rolled_back":
      return `${before} ${state} at ${percent}%; before a raise: ${cutover} resume ${name} --reason "another try"`;
    case "closed":
      return `${before} closed: all goes to the new side for good. To begin anew, end the demo and remove ${kept}.`;
  }
}

interface Summary {
  readonly at: Date;
  readonly before: Tally;
  readonly tally: Tally;
  readonly legacy: ShopSummary;
  readonly next: ShopSummary;
}

/** `14:02:10  orders: 61 social-shop, 20 marketplace (24.7%) · 79 paid · 0 requests failed · anomalies since the start: none` */
export function summaryLine({ at, before, tally, legacy, next }: Summary): string {
  const orders = (shop: string) => (tally.orders[shop] ?? 0) - (before.orders[shop] ?? 0);
  const [old, moved] = [orders(legacy.shop), orders(next.shop)];
  const share = old + moved === 0 ? "" : ` (${((100 * moved) / (old + moved)).toFixed(1)}%)`;
  return [
    `${at.toTimeString().slice(0, 8)}  orders: ${old} ${legacy.shop}, ${moved} ${next.shop}${share}`,
    `${tally.visits.paid - before.visits.paid} paid`,
    `${tally.requests.failed - before.requests.failed} requests failed`,
    `anomalies since the start: ${anomalies(tally, legacy, next)}`,
  ].join(" · ");
}

function anomalies(tally: Tally, legacy: ShopSummary, next: ShopSummary): string {
  if (anomaliesOf(tally) + legacy.anomalies + next.anomalies === 0) return "none";
  const kinds = {
    "journeys that changed shop": tally.anomalies.changedShop,
    "payments of an unknown order": tally.anomalies.orderUnknown,
    "keys with two payments": tally.anomalies.paidTwice,
    "orders charged twice": legacy.paidTwice + next.paidTwice,
    "orders unknown to the shop": legacy.unknownOrder + next.unknownOrder,
  };
  return Object.entries(kinds)
    .filter(([, count]) => count > 0)
    .map(([kind, count]) => `${count} ${kind}`)
    .join(", ");
}
