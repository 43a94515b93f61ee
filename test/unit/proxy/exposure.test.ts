/** What an order is worth, read from the answer that makes it, and where shoppers go while too much is unpaid on new. */
import { describe, expect, test } from "vitest";
import { answer, createFixture, type FixtureOptions } from "../../support/exchange-fixture.ts";
import { turn } from "../../support/until.ts";

const json = ["Content-Type", "application/json"];

async function turns() {
  for (let i = 0; i < 8; i++) await turn();
}

function shop(exposure: Readonly<Record<string, unknown>> = {}, more: FixtureOptions = {}) {
  const { cutover, ...rest } = more;
  const capped = { maxOpenAmount: 1000, currency: "IDR", amount: "json:/total", ...exposure };
  const fixture = createFixture({
    state: { percentThousandths: 100_000 },
    cutover: { exposure: capped, ...cutover },
    ...rest,
  });
  let orders = 0;
  interface Asked {
    readonly path?: string;
    readonly cookie?: string;
    readonly body?: unknown;
    readonly fields?: readonly string[];
    readonly status?: number;
  }
  /** @returns how it was decided, and the cookies that the client was given */
  async function ask(shopper: string, { path = "/checkout", cookie = "a=b", ...asked }: Asked = {}) {
    const fields = ["Host", "shop.example", "X-Shopper-Id", shopper, "Cookie", cookie];
    const method = path.startsWith("/cart") ? "GET" : "POST";
    const client = fixture.send({ method, target: path, fields }, method === "GET" ? undefined : "{}");
    await turns();
    orders += 1;
    const body = asked.body ?? { orderId: `X-${orders}`, total: 400 };
    const text = typeof body === "string" ? body : JSON.stringify(body);
    answer(fixture.attempts.at(-1), asked.status ?? 200, asked.fields ?? json, text);
    await turns();
    const { fields: told = [] } = client.heads[0] ?? {};
    const cookies = told.flatMap((name, i) => (name === "Set-Cookie" ? (told[i + 1] ?? "") : []));
    return { decided: fixture.decisions.at(-1), cookies };
  }
  const open = () => fixture.exposure.standing("checkout")?.openAmount;
  return { ...fixture, ask, open };
}

describe("the money at risk", () => {
  test("is what the orders are worth that new has made, until they are paid", async () => {
    const { ask, open } = shop();
    await ask("ann", { body: { orderId: "A", total: 400 } });
    await ask("ben", { body: { orderId: "B", total: "250" } });
    expect(open()).toBe(650);
    await ask("ann", { path: "/orders/A/pay", status: 402 });
    expect(open()).toBe(650);
    await ask("ann", { path: "/orders/A/pay" });
    expect(open()).toBe(250);
  });

  test("is none of legacy's, nor of an order that was made before, nor of one that the request names itself", async () => {
    const { ask, open, set } = shop();
    await ask("ann", { body: { orderId: "A", total: 400 } });
    await ask("ann", { body: { orderId: "A", total: 400 } });
    expect(open()).toBe(400);
    set({ percentThousandths: 0 });
    await ask("ben", { body: { orderId: "B", total: 400 } });
    expect(open()).toBe(400);
  });

  test("counts an order once that its answer names by two keys", async () => {
    const { ask, open } = shop({}, { cutover: { owners: twoKeys } });
    await ask("ann", { body: { orderId: "A", number: "2024-1", total: 400 } });
    expect(open()).toBe(400);
  });

  test.each([
    [{}, '{"orderId":"A","total":2.5e2}', 250, false],
    [{ decimals: 2 }, '{"orderId":"A","total":2.50}', 250, false],
    [{ decimals: 2 }, '{"orderId":"A","total":1.001}', 101, false],
    [{ decimals: 2 }, '{"orderId":"A","total":"0.30"}', 30, false],
    [{ amount: "json:/sum/minor" }, '{"orderId":"A","sum":{"minor":7}}', 7, false],
    [{ amount: "header:x-total" }, '{"orderId":"A"}', 19, false],
    [{}, '{"orderId":"A"}', 0, true],
    [{}, '{"orderId":"A","total":-5}', 0, true],
    [{}, '{"orderId":"A","total":"5,000"}', 0, true],
    [{}, '{"orderId":"A","total":null}', 0, true],
    [{}, '{"total":5}', 0, false],
  ] as const)("%j reads %s as %i", async (exposure, body, amount, isUnread) => {
    const { ask, open, counted } = shop(exposure);
    await ask("ann", { body, fields: [...json, "X-Total", "19"] });
    expect(open()).toBe(amount);
    expect(counted.includes("unread amount")).toBe(isUnread);
  });
});

const twoKeys = [
  { key: ["param:orderId"], learn: ["json:/orderId"] },
  { key: ["json:/number"], learn: ["json:/number"] },
];

describe("over the cap", () => {
  const over = async (more: FixtureOptions = {}) => {
    const opened = shop({}, more);
    for (const shopper of ["a", "b", "c"]) await opened.ask(shopper);
    expect(opened.open()).toBe(1200);
    return opened;
  };

  test("new journeys begin on legacy, and stay there when it is open again", async () => {
    const { ask, exposure } = await over();
    const { decided, cookies } = await ask("dan", { body: { orderId: "L-1", total: 1 } });
    expect(decided).toBe("legacy exposure");
    exposure.closed("checkout", "X-1");
    exposure.closed("checkout", "X-2");
    expect(exposure.isOver("checkout")).toBe(false);
    const [cookie = ""] = cookies;
    expect((await ask("dan", { cookie: `a=b; ${cookie.split(";")[0]}` })).decided).toBe("legacy journey");
    expect((await ask("eve")).decided).toBe("new bucket");
  });

  test("journeys under way on new go on there, and what new owns goes there", async () => {
    const fixture = shop();
    const { cookies } = await fixture.ask("ann", { body: { orderId: "A", total: 1001 } });
    const cookie = `a=b; ${cookies[0]?.split(";")[0]}`;
    expect((await fixture.ask("ann", { path: "/cart/1", cookie })).decided).toBe("new journey");
    expect((await fixture.ask("zoe", { path: "/orders/A/pay" })).decided).toBe("new owner");
  });

  test("who has no visit begins it on legacy, one on new goes on until its journey would begin", async () => {
    const fixture = shop({}, { cutover: { visit: {} } });
    const before = await fixture.ask("ann", { path: "/cart/1" });
    const visit = before.cookies.find((text) => text.startsWith("cutover_visit="))?.split(";")[0];
    expect(before.decided).toBe("new bucket");
    await fixture.ask("ben", { body: { orderId: "B", total: 1001 } });
    expect((await fixture.ask("ann", { path: "/cart/1", cookie: `a=b; ${visit}` })).decided).toBe(
      "new visit",
    );
    expect((await fixture.ask("ann", { cookie: `a=b; ${visit}` })).decided).toBe("legacy exposure");
    const late = await fixture.ask("dan", { path: "/cart/1" });
    expect(late.decided).toBe("legacy exposure");
    expect(late.cookies).toEqual([expect.stringMatching(/^cutover_visit=1\.l\./)]);
  });

  test("a rollback is told first, and a tester only where that also counts while rolled back", async () => {
    const { ask, set } = await over();
    set({ state: "rolled_back", percentThousandths: 0 });
    expect((await ask("dan")).decided).toBe("legacy rolled_back");
  });
});
