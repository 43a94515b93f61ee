import { describe, expect, test } from "vitest";
import { parseRedisUrl, placeOfStore } from "../../../src/redis/url.ts";

const plain = { user: undefined, password: undefined, tls: undefined };

test.each([
  ["redis://h", { ...plain, kind: "single", at: { host: "h", port: 6379 }, db: 0 }],
  ["redis://[::1]:7/3", { ...plain, kind: "single", at: { host: "::1", port: 7 }, db: 3 }],
  [
    "rediss://u:p%40s%2Fw@h:1?ca=%2Fetc%2Fca.pem",
    {
      kind: "single",
      at: { host: "h", port: 1 },
      db: 0,
      user: "u",
      password: "p@s/w",
      tls: { caFile: "/etc/ca.pem" },
    },
  ],
  [
    "redis-sentinel://u:p@a:1,b/shop?tls=true&sentinelUser=s&sentinelPassword=x",
    {
      kind: "sentinel",
      user: "u",
      password: "p",
      tls: { caFile: undefined },
      sentinels: [
        { host: "a", port: 1 },
        { host: "b", port: 26379 },
      ],
      master: "shop",
      sentinelUser: "s",
      sentinelPassword: "x",
    },
  ],
  [
    "redis-cluster://:p@a:1,b:2",
    {
      ...plain,
      kind: "cluster",
      password: "p",
      nodes: [
        { host: "a", port: 1 },
        { host: "b", port: 2 },
      ],
    },
  ],
])("the URL %s is read", (url, place) => {
  expect(parseRedisUrl(url)).toEqual(place);
});

describe("refuses", () => {
  test.each([
    "",
    "memory:",
    "redis:h",
    "redis://",
    "redis://a:1,b:2",
    "redis://h:0",
    "redis://h:65536",
    "redis://h/x",
    "redis://h?ca=f",
    "redis://h?enableOfflineQueue=true",
    "redis://u:%ff@h",
    "rediss://h?ca=",
    "rediss://h?ca=a&ca=b",
    "redis-sentinel://a:1,b:2",
    "redis-sentinel://a:1/m?ca=f",
    "redis-sentinel://a:1,/m",
    "redis-cluster://a:1/0",
    "redis-cluster://a:1?tls=1",
  ])("%j", (url) => {
    expect(parseRedisUrl(url)).toBeUndefined();
  });
});

test.each([
  ["redis://h", "redis://h:6379/0"],
  ["rediss://ana:s3cret@H:6379/0?ca=%2Fca.pem", "redis://h:6379/0"],
  ["redis://h:6379/1", "redis://h:6379/1"],
  ["redis-sentinel://u:p@b:2,a/shop?sentinelPassword=x", "redis-sentinel://a:26379,b:2/shop"],
  ["redis-cluster://:p@b:2,a:1", "redis-cluster://a:1,b:2"],
  ["file:var/state.json", "file:var/state.json"],
])("the place of %s is %s, in one spelling and without a password", (url, place) => {
  expect(placeOfStore(url)).toBe(place);
});
