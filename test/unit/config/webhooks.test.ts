import { expect, test } from "vitest";
import { effectiveValues } from "../../../src/config/effective.ts";
import { configSchema } from "../../../src/config/schema.ts";
import { webhook } from "../../../src/config/webhooks/webhook-schema.ts";

const secret = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
const url = "https://ops.example/T000/B000/token";

test("a webhook has one secret or several, and is told everything unless it says otherwise", () => {
  expect(webhook.parse({ url, secret })).toMatchObject({ secret: [secret], format: "json" });
  expect(webhook.parse({ url, secret }).events).toHaveLength(7);
  expect(webhook.parse({ url, secret: [secret, secret] }).secret).toHaveLength(2);
  expect(webhook.parse({ url, format: "slack", events: ["rollback"] }).secret).toEqual([]);
});

test.each([
  [{ url, secret: "short" }],
  [{ url, secret: "whsec_c2hvcnQ=" }],
  [{ url }],
  [{ url: "ftp://ops.example", secret }],
  [{ url: "ops.example", secret }],
  [{ url, secret, events: [] }],
  [{ url, secret, events: ["lower"] }],
  [{ url, secret, more: 1 }],
])("%j is none", (given) => expect(webhook.safeParse(given).success).toBe(false));

test("neither its secret nor its URL is shown", () => {
  const written = {
    webhooks: [{ url, secret }],
    default: "old",
    upstreams: { old: { url: "http://old.example" } },
  };
  const place = { line: 1, column: 1, filled: false, children: new Map() };
  const shown = JSON.stringify(effectiveValues(written, place as never, configSchema.parse(written)));
  expect(shown).toContain("webhooks");
  expect(shown).not.toContain("token");
  expect(shown).not.toContain(secret);
});
