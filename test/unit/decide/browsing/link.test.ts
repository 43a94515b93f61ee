import { expect, test } from "vitest";
import { accountOf, readLink, signLink } from "../../../../src/decide/browsing/link.ts";
import { beginVisit, signVisit } from "../../../../src/decide/browsing/visit.ts";

const at = 1_700_000_000;

test("a link reads as it was signed, by any of the secrets, before and after a login", () => {
  for (const account of [undefined, accountOf("one", "checkout", "ann")]) {
    for (const bucket of [0, 4321, 99_999]) {
      const link = { bucket, expiresAt: at, account };
      expect(readLink(["two", "one"], "checkout", signLink("one", "checkout", link))).toEqual(link);
    }
  }
});

test("no other text is one: of another cutover, secret or purpose, or with any character another", () => {
  const text = signLink("one", "checkout", { bucket: 77, expiresAt: at, account: undefined });
  expect(readLink(["one"], "wallet", text)).toBeUndefined();
  expect(readLink(["two"], "checkout", text)).toBeUndefined();
  const visit = beginVisit({ for: 60, max: 60 }, "new", 1, at);
  expect(readLink(["one"], "checkout", signVisit("one", "checkout", visit))).toBeUndefined();
  for (let i = 0; i < text.length; i++) {
    const other = text[i] === "z" ? "y" : "z";
    expect(readLink(["one"], "checkout", text.slice(0, i) + other + text.slice(i + 1))).toBeUndefined();
  }
});

test("an account is told from another, and by nobody without the secret", () => {
  const names = new Set(
    ["ann", "bob", "\xc3\xa9"].flatMap((name) =>
      ["one", "two"].flatMap((secret) =>
        ["checkout", "wallet"].map((cutover) => accountOf(secret, cutover, name)),
      ),
    ),
  );
  expect(names.size).toBe(12);
  for (const name of names) expect(name).toMatch(/^[\w-]{12}$/);
  expect(accountOf("one", "checkout", "ann")).toBe(accountOf("one", "checkout", "ann"));
});
