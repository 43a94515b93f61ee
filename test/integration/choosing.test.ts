/**
 * The examples of docs/choosing.md, driven: each side is a shop that knows its own carts and orders alone, and answers 404
 * to those of the other. No client keeps a cookie.
 */
import { randomUUID } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { type AdminApi, createAdminApi } from "../support/admin-api.ts";
import { shoppersOfBuckets } from "../support/bucket.ts";
import { startServe } from "../support/cutover.ts";

const page = new URL("../../docs/choosing.md", import.meta.url);
const endings: (() => unknown)[] = [];

afterAll(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

/** A shop in memory. @returns its origin */
async function startShop(side: string): Promise<string> {
  const carts = new Map<string, string[]>();
  const orders = new Set<string>();
  const server = createServer((request, response) => {
    const tell = (status: number, body: object) => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify({ side, ...body }));
    };
    request.resume().on("end", () => {
      const { method, url = "" } = request;
      const [, cart = "", rest = ""] = /^\/carts\/([^/]+)(.*)$/.exec(url) ?? [];
      const items = carts.get(cart);
      const [, order = ""] = /^\/orders\/([^/]+)\/pay$/.exec(url) ?? [];
      if (method === "POST" && /^(?:\/shops\/[^/]+)?\/carts$/.test(url)) {
        const cartId = randomUUID();
        carts.set(cartId, []);
        tell(201, { cartId });
      } else if (order !== "") tell(orders.has(order) ? 200 : 404, {});
      else if (cart === "") tell(200, {});
      else if (items === undefined) tell(404, { cart });
      else if (rest === "/checkout") {
        const orderId = randomUUID();
        orders.add(orderId);
        tell(201, { orderId, items });
      } else {
        if (method === "POST") items.push(rest);
        tell(200, { items });
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  endings.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return `http://127.0.0.1:${port}`;
}

const answerBody = z.object({
  side: z.enum(["legacy", "new"]),
  cartId: z.string().optional(),
  orderId: z.string().optional(),
  items: z.array(z.string()).optional(),
});
interface Answer extends z.output<typeof answerBody> {
  readonly status: number;
  readonly decision: string;
}

interface Rig {
  readonly admin: AdminApi;
  ask(method: string, path: string, fields?: Record<string, string>): Promise<Answer>;
}

/** @param at which of the page's examples */
async function serveExample(at: number): Promise<Rig> {
  const [legacy, fresh] = [await startShop("legacy"), await startShop("new")];
  const examples = [...(await readFile(page, "utf8")).matchAll(/^```yaml\n([\s\S]*?)^```$/gm)];
  const example = examples[at]?.[1] ?? "";
  expect(example).toContain("http://127.0.0.1:7001");
  const yaml = [
    "listeners: { proxy: { port: 0 }, admin: { port: 0 } }",
    "workers: 2",
    "store: 'memory:'",
    "snapshot: off",
    "spool: off",
    "audit: off",
    "decisionHeader: x-cutover-decision",
    example.replace("http://127.0.0.1:7001", legacy).replace("http://127.0.0.1:7002", fresh),
  ].join("\n");
  const folder = await mkdtemp(join(tmpdir(), "cutover-choosing-"));
  endings.push(() => rm(folder, { recursive: true }));
  const serve = await startServe({ folder, name: `choosing-${at}`, yaml });
  endings.push(() => serve.kill());
  const admin = createAdminApi(serve.admin);
  endings.push(() => admin.close());
  return {
    admin,
    async ask(method, path, fields = {}) {
      const found = await fetch(`${serve.proxy}${path}`, { method, headers: fields });
      const body = answerBody.parse(await found.json());
      return { ...body, status: found.status, decision: found.headers.get("x-cutover-decision") ?? "" };
    },
  };
}

async function to(admin: AdminApi, percent: number): Promise<void> {
  const { answer } = await admin.set(percent);
  expect(answer).toMatchObject({ percent });
}

describe("a REST shop with the cart's id in its paths", () => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await serveExample(1);
  }, 30_000);

  test("no cart of an app without cookies is ever on two sides: through raises, a login, a rollback and back", async () => {
    const { admin, ask } = rig;
    const carts: { readonly id: string; readonly side: string; added: number }[] = [];
    const misplaced: string[] = [];
    async function begin(count: number, from: number) {
      for (let n = 0; n < count; n += 1) {
        const made = await ask("POST", "/carts", { "x-install-id": `app-${from + n}` });
        expect(made.status).toBe(201);
        carts.push({ id: made.cartId ?? "", side: made.side, added: 0 });
      }
    }
    /** Under another name each time: a login, another device, none at all. */
    async function addToAll(step: number) {
      for (const [at, cart] of carts.entries()) {
        const who = [{ authorization: `Bearer ${step}-${at}` }, { "x-install-id": `other-${at}` }, {}][
          at % 3
        ];
        const added = await ask("POST", `/carts/${cart.id}/items`, who);
        if (added.status !== 200 || added.side !== cart.side) misplaced.push(`${step}: ${cart.id}`);
        else cart.added += 1;
        expect(added.decision).toContain("owner");
      }
    }
    const steps: (() => Promise<unknown>)[] = [
      () => to(admin, 50),
      () => to(admin, 90),
      () => admin.call("rollback"),
      async () => {
        await admin.call("resume");
        await to(admin, 10);
      },
      () => to(admin, 100),
    ];
    for (const [step, change] of steps.entries()) {
      await change();
      await begin(12, step * 100);
      await addToAll(step);
    }
    expect(misplaced).toEqual([]);
    expect(new Set(carts.map(({ side }) => side))).toEqual(new Set(["legacy", "new"]));
    await to(admin, 0);
    for (const cart of carts) {
      const order = await ask("POST", `/carts/${cart.id}/checkout`);
      expect([order.status, order.side, order.items?.length]).toEqual([201, cart.side, cart.added]);
      const paid = await ask("POST", `/orders/${order.orderId}/pay`);
      expect([paid.status, paid.side]).toEqual([200, cart.side]);
    }
  }, 30_000);
});

describe("a marketplace that moves sellers", () => {
  test("a cart of several sellers is where its first seller is, also for the goods of the others", async () => {
    const { admin, ask } = await serveExample(0);
    await to(admin, 50);
    const [moved = ""] = shoppersOfBuckets("checkout", "seller", (bucket) => bucket < 50_000, 1);
    const [stays = ""] = shoppersOfBuckets("checkout", "seller", (bucket) => bucket >= 50_000, 1);
    for (const [first, second, side, otherSide] of [
      [moved, stays, "new", "legacy"],
      [stays, moved, "legacy", "new"],
    ] as const) {
      expect((await ask("GET", `/shops/${first}`)).side).toBe(side);
      const { cartId, side: begun } = await ask("POST", `/shops/${first}/carts`);
      expect(begun).toBe(side);
      for (const seller of [first, second, second]) {
        const added = await ask("POST", `/carts/${cartId}/shops/${seller}/items`);
        expect([added.status, added.side]).toEqual([200, side]);
      }
      // Without a cart a seller is where he is.
      expect((await ask("GET", `/shops/${second}`)).side).toBe(otherSide);
      const order = await ask("POST", `/carts/${cartId}/checkout`);
      expect([order.side, order.items?.length]).toEqual([side, 3]);
      expect((await ask("POST", `/orders/${order.orderId}/pay`)).status).toBe(200);
    }
    const { cartId } = await ask("POST", `/shops/${moved}/carts`);
    await admin.call("rollback");
    const late = await ask("POST", `/carts/${cartId}/shops/${stays}/items`);
    expect([late.status, late.side]).toEqual([200, "new"]);
    expect((await ask("POST", `/shops/${moved}/carts`)).side).toBe("legacy");
  }, 30_000);
});
