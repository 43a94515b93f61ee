import { expect, test } from "vitest";
import { ticketKeys } from "../../../../src/base/tls/tickets.ts";

const noon = Date.UTC(2026, 0, 1, 12);

test("keys of session tickets are the same for all who have the secret, and others twelve hours later", () => {
  const keys = ticketKeys("secret", noon);
  expect(keys).toHaveLength(48);
  expect(ticketKeys("secret", noon + 12 * 3_600_000 - 1)).toEqual(keys);
  expect(ticketKeys("secret", noon + 12 * 3_600_000)).not.toEqual(keys);
  expect(ticketKeys("secret", noon - 1)).not.toEqual(keys);
  expect(ticketKeys("another", noon)).not.toEqual(keys);
  expect(keys.includes("secret")).toBe(false);
});
