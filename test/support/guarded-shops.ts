/** Two shops that answer as they are told to, and shoppers who come to proxies before them, each once. */
import { createServer, get } from "node:http";
import type { AddressInfo } from "node:net";
import { guardView } from "../../src/admin/api/guard/guard-view.ts";

type Answer = "well" | "failing" | "silent";

export interface ToldShop {
  answer: Answer;
  readonly url: string;
  stop(): void;
}

export async function startToldShop(): Promise<ToldShop> {
  const server = createServer((_, response) => {
    if (shop.answer === "silent") return;
    response.writeHead(shop.answer === "well" ? 200 : 500).end("x");
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

export async function guardOf(adminUrl: string) {
  const answer = await fetch(`${adminUrl}/api/v1/cutovers/checkout/guard`);
  return guardView.parse(await answer.json());
}
