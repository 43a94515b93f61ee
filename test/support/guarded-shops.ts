/** Two shops that answer as they are told to, and shoppers who come to proxies before them, each once. */
import { createServer, get, request } from "node:http";
import type { AddressInfo } from "node:net";
import { guardView } from "../../src/admin/api/guard/guard-view.ts";
import { createChance } from "../../src/guard/simulate/chance.ts";

/** `declining`: all is well but for payments, which are declined with a 200. */
type Answer = "well" | "failing" | "silent" | "declining";

export interface ToldShop {
  answer: Answer;
  readonly url: string;
  stop(): void;
}

export async function startToldShop(): Promise<ToldShop> {
  const server = createServer((_, response) => {
    if (shop.answer === "silent") return;
    response.setHeader("Content-Type", "application/json");
    const status = shop.answer === "declining" ? "declined" : "paid";
    response.writeHead(shop.answer === "failing" ? 500 : 200).end(JSON.stringify({ status }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address() as AddressInfo;
  const shop: ToldShop = {
    answer: "well",
    url: `http://127.0.0.1:${address.port}`,
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
  return shop;
}

interface Coming {
  /** In turn. */
  readonly proxies: readonly string[];
  /** Of shoppers who wait so long for an answer. */
  readonly patienceMs: number;
}

/** 100 shoppers a second. @returns what ends it */
export function comeByTurns({ proxies, patienceMs }: Coming): () => void {
  let shopper = 0;
  const coming = setInterval(() => {
    for (let n = 0; n < 2; n += 1) {
      shopper += 1;
      const request = get(
        `${proxies[shopper % proxies.length]}/cart/1`,
        { agent: false, headers: { "x-shopper-id": `s${shopper}` }, timeout: patienceMs },
        (response) => response.resume(),
      );
      request.on("timeout", () => request.destroy()).on("error", () => {});
    }
  }, 20);
  return () => clearInterval(coming);
}

/** Of a cutover whose journeys start at /checkout and end when /pay says that it is paid. */
export const payingRoutes = [
  "shopper: ['header:x-shopper-id']",
  "journey: {}",
  "routes:",
  "  - { name: checkout, path: /checkout, methods: [POST], journey: start }",
  "  - { name: pay, path: /pay, methods: [POST], journey: { end: { when: 'json:/status=paid' } } }",
];

interface Buying {
  readonly proxy: string;
  readonly perSecond: number;
  /** Half of those who pay have done so after this time: lognormal, σ 0.7. */
  readonly medianMs: number;
  /** Of shoppers who wait so long for an answer. */
  readonly patienceMs: number;
}

/** Shoppers who begin a journey and pay it, six of ten. @returns what ends it */
export function buyAt({ proxy, perSecond, medianMs, patienceMs }: Buying): () => void {
  const chance = createChance(17);
  const timers = new Set<NodeJS.Timeout>();
  let shopper = 0;
  const ask = (path: string, headers: Record<string, string>, onCookie = (_: string) => {}) => {
    const asked = request(
      `${proxy}${path}`,
      { method: "POST", agent: false, headers, timeout: patienceMs },
      (response) => {
        response.resume();
        const [cookie] = response.headers["set-cookie"] ?? [];
        if (cookie !== undefined) onCookie(cookie.split(";", 1)[0] ?? "");
      },
    );
    asked.on("timeout", () => asked.destroy()).on("error", () => {});
    asked.end();
  };
  const buying = setInterval(() => {
    shopper += 1;
    const headers = { "x-shopper-id": `s${shopper}` };
    ask("/checkout", headers, (cookie) => {
      if (chance.uniform() >= 0.6) return;
      const timer = setTimeout(
        () => {
          timers.delete(timer);
          ask("/pay", { ...headers, cookie });
        },
        medianMs * Math.exp(0.7 * chance.normal()),
      );
      timers.add(timer);
    });
  }, 1000 / perSecond);
  return () => {
    clearInterval(buying);
    for (const timer of timers) clearTimeout(timer);
  };
}

export async function guardOf(adminUrl: string) {
  const answer = await fetch(`${adminUrl}/api/v1/cutovers/checkout/guard`);
  return guardView.parse(await answer.json());
}
