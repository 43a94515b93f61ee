import { expect, test } from "vitest";
import { configSchema } from "../../../../src/config/schema.ts";
import { createTellings } from "../../../../src/guard/watch/tellings.ts";

// What each of 100 cutovers told had all 100 counted for it, four times a second: it took all of a core.
test("what one cutover tells has no other one counted", () => {
  const cutover = { legacy: "old", new: "fresh", shopper: ["header:x-id"], guard: {} };
  const config = configSchema.parse({
    upstreams: { old: { url: "http://127.0.0.1:1" }, fresh: { url: "http://127.0.0.1:2" } },
    default: "old",
    cutovers: {
      carts: { ...cutover, routes: [{ name: "cart", path: "/cart/*" }] },
      search: { ...cutover, routes: [{ name: "search", path: "/search" }] },
    },
  });
  const asked: string[] = [];
  const report = (name: string) => {
    asked.push(name);
    return [];
  };
  const tellings = createTellings(config, { counting: { report, nowMs: () => 0 }, storeMs: () => 0 });
  tellings.told("carts");
  expect(asked).toEqual(["carts"]);
  tellings.forRecord();
  expect(asked).toEqual(["carts", "carts", "search"]);
});
