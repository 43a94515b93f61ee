/** What stays claimed of a payment that did not get through, with real connections. */
import { createServer } from "node:http";
import { createServer as createTcpServer, type Server } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { engineNames, startProxy } from "../../support/proxy.ts";
import { until } from "../../support/until.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function portOf(server: Server): Promise<number> {
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => void server.close());
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

describe.each(engineNames)("by %s", (engine) => {
  const open = async (freshPort: number) => {
    const legacy = await portOf(createServer((_, response) => response.end("legacy")));
    const proxy = await startProxy({
      engine,
      old: { url: `http://127.0.0.1:${legacy}` },
      fresh: { url: `http://127.0.0.1:${freshPort}` },
      state: { percentThousandths: 100_000 },
    });
    cleanups.push(() => proxy.close());
    const pay = () =>
      fetch(`http://127.0.0.1:${proxy.port}/cart/pay`, {
        method: "POST",
        headers: { "x-shopper-id": "a", "idempotency-key": "k1" },
        body: "{}",
      });
    return { proxy, pay };
  };

  test("a payment tried while new was down goes to legacy after the rollback", async () => {
    const { proxy, pay } = await open(1);
    expect((await pay()).status).toBe(502);
    await until("the claim is given back", () => !proxy.claims.has("k1"));
    proxy.set({ percentThousandths: 0, state: "rolled_back" });
    expect(await (await pay()).text()).toBe("legacy");
  });

  test("a payment that new may have read stays there after the rollback", async () => {
    const fresh = createTcpServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => socket.destroy());
    });
    const { proxy, pay } = await open(await portOf(fresh));
    expect((await pay()).status).toBe(502);
    expect(proxy.claims.get("k1")).toBe("new");
    proxy.set({ percentThousandths: 0, state: "rolled_back" });
    expect((await pay()).status).toBe(502);
    expect(proxy.decisions).toEqual(["new bucket", "new owner"]);
  });
});
