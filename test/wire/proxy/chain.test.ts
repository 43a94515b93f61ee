/** Two of these proxies, one behind the other, whose journeys go by one cookie name; and headers past the edge. */
import { expect } from "vitest";
import { answering, valuesOf } from "../../support/raw-upstream.ts";
import { duties, engineNames, type Lab, ok, post, request, startProxy } from "./lab.ts";

const cutover = {
  shopper: ["header:x-shopper-id"],
  routes: [
    { name: "cart", path: "/cart/*" },
    { name: "checkout", path: "/checkout", methods: ["POST"], journey: "start" },
  ],
  journey: { cookie: "journey" },
};

duties("two proxies in a chain with one cookie name", (duty) => {
  duty("the outer leaves the inner's cookie alone, and each takes its own away", async (lab: Lab) => {
    const cleanups: (() => Promise<unknown>)[] = [];
    try {
      const inner = await lab.start(answering(ok()), { cutover });
      const engine = engineNames.find((name) => name === lab.engine) ?? "undici";
      const outer = await startProxy(engine, inner.raw, { cutover, url: inner.url }, cleanups);
      const begun = await outer.answerTo(post("{}", ["X-Shopper-Id: ann"], "/checkout"), "POST");
      const both = valuesOf(begun.fields, "set-cookie").map((text) => text.split(";")[0] ?? "");
      // A browser would keep one of them, unless a domain or a path keeps them apart (docs/journeys.md).
      expect(new Set(both).size).toBe(2);
      const before = inner.raw.requests().length;
      const cookies = `theme=dark; ${both.join("; ")}; a=b`;
      await outer.answerTo(request("GET /cart/1", ["X-Shopper-Id: ann", `Cookie: ${cookies}`]));
      const last = inner.raw.requests()[before];
      expect(valuesOf(last?.fields ?? [], "cookie")).toEqual(["theme=dark; a=b"]);
      const ignored = await inner.metric("cutover_journey_pins_ignored_total");
      expect(Object.values(ignored)).toEqual([0, 0, 0]);
      const decided = await inner.metric("cutover_decisions_total");
      expect(decided['cutover="checkout",side="legacy",reason="journey"']).toBe(1);
    } finally {
      for (const cleanup of cleanups.reverse()) await cleanup();
    }
  });
});

duties("a header that names a shopper", (duty) => {
  const trusted = (from: string) => ({
    cutover: { ...cutover, trustedShopper: { header: "x-shopper-id", from: [from] } },
  });
  const fields = ["X-Shopper-Id: ann", "X_Shopper_Id: ann", "Connection: x-shopper-id"];

  duty("from elsewhere than its edge names nobody and does not reach the shop", async (lab) => {
    const proxy = await lab.start(answering(ok()), trusted("192.0.2.0/24"));
    await proxy.answerTo(request("GET /cart/1", fields));
    expect(proxy.seen().fields.join("\n")).not.toMatch(/shopper/i);
    const decided = await proxy.metric("cutover_decisions_total");
    expect(decided['cutover="checkout",side="legacy",reason="anonymous"']).toBe(1);
  });

  duty("from its edge names the shopper and reaches the shop", async (lab) => {
    const proxy = await lab.start(answering(ok()), trusted("127.0.0.0/8"));
    await proxy.answerTo(request("GET /cart/1", fields));
    expect(valuesOf(proxy.seen().fields, "x-shopper-id")).toEqual(["ann"]);
    const decided = await proxy.metric("cutover_decisions_total");
    expect(decided['cutover="checkout",side="legacy",reason="bucket"']).toBe(1);
  });
});
