import { expect, test } from "vitest";
import { configHash } from "../../../src/config/hash.ts";
import { configOf, least, withCutover } from "./support.ts";

const hashOf = (text: string, env = {}) => configHash(configOf(text, env));

test("a hash is 12 hex digits, and what a configuration says in another order or of one instance alone is the same", () => {
  const hash = hashOf(least);
  expect(hash).toMatch(/^[0-9a-f]{12}$/);
  for (const own of [
    "instance: { name: shop-1 }",
    "listeners: { proxy: { port: 8081 }, admin: { port: 9901 } }",
    "workers: 2",
    "snapshot: off",
    "staleAfter: 30s",
  ]) {
    expect(hashOf(`${own}\n${least}`)).toBe(hash);
  }
});

test("what decides, and an expression in it, makes another hash", () => {
  const one = hashOf(withCutover('routes: [{ name: a, path: "/a/*" }]'));
  expect(hashOf(withCutover('routes: [{ name: a, path: "/b/*" }]'))).not.toBe(one);
  expect(hashOf(`staleAfter: 31s\n${least}`)).not.toBe(hashOf(least));
  const key = (pattern: string) =>
    hashOf(
      withCutover(
        'routes: [{ name: a, path: "/a", methods: [POST] }]',
        `owners: [{ key: "header:x-order#${pattern}", ttl: 24h }]`,
      ),
    );
  expect(key("^(A.*)")).not.toBe(key("^(B.*)"));
});

test("a secret is in no hash: whoever sees it cannot try secrets on it", () => {
  const journey = (secret: string) =>
    hashOf(withCutover(`journey: { cookie: c, secret: ${secret} }`, 'routes: [{ name: a, path: "/a" }]'));
  expect(journey("sixteen-letters-and-one")).toBe(journey("sixteen-letters-and-two"));
  const store = (password: string) => hashOf(`store: "redis://me:${password}@redis:6379"\n${least}`);
  expect(store("one")).toBe(store("two"));
  expect(store("one")).not.toBe(hashOf(`store: "redis://other:6379"\n${least}`));
});
