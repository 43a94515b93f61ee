import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compileHosts, coversHost, hostNameOf, parseHost } from "../../../../src/config/values/hosts.ts";

describe("a host of the configuration", () => {
  test.each([
    ["shop.example", "shop.example"],
    ["Shop.Example.", "shop.example"],
    ["*.SHOP.example", "*.shop.example"],
    ["*.my", "*.my"],
    ["localhost", "localhost"],
    ["127.0.0.1", "127.0.0.1"],
    ["[::1]", "[::1]"],
    ["[2001:DB8:0:0::1]", "[2001:db8::1]"],
    ["xn--bcher-kva.example", "xn--bcher-kva.example"],
    ["my_shop.example", "my_shop.example"],
  ])("%s is %s", (text, host) => expect(parseHost(text)).toBe(host));

  test.each([
    ["", "expected a host such as shop.example or *.shop.example"],
    ["*", "expected a host: where none are named, all count"],
    ["shop.example:8443", "expected a host without a port: every port counts"],
    ["[::1]:80", "expected a host without a port: every port counts"],
    ["https://shop.example", "expected a host without scheme, user or path"],
    ["shop.example/my", "expected a host without scheme, user or path"],
    ["me@shop.example", "expected a host without scheme, user or path"],
    ["bücher.example", "expected a host in ASCII: other names as xn--…"],
    ["shop example", "expected a host in ASCII: other names as xn--…"],
    ["shop*.example", "expected * only as the whole first label, as in *.shop.example"],
    ["a.*.example", "expected * only as the whole first label, as in *.shop.example"],
    ["*.*.example", "expected * only as the whole first label, as in *.shop.example"],
    ["::1", "expected an IPv6 address in brackets, as in [::1]"],
    ["[::g]", "expected an IPv6 address in brackets"],
    ["shop..example", "expected a host such as shop.example or *.shop.example"],
    ["-shop.example", "expected a host such as shop.example or *.shop.example"],
    ["*.", "expected a host: where none are named, all count"],
    [`${"a".repeat(64)}.example`, "expected a host such as shop.example or *.shop.example"],
  ])("%j is none", (text, expected) => expect(parseHost(text)).toEqual({ expected }));
});

describe("the host of a request", () => {
  test.each([
    ["shop.example", "shop.example"],
    ["SHOP.example:8443", "shop.example"],
    ["shop.example.", "shop.example"],
    ["shop.example.:80", "shop.example"],
    ["shop.example:", "shop.example"],
    ["[2001:DB8::0001]:8443", "[2001:db8::1]"],
    ["[::ffff:127.0.0.1]", "[::ffff:7f00:1]"],
    ["[::g]", "[::g]"],
    ["", ""],
  ])("%s is %s", (authority, host) => expect(hostNameOf(authority)).toBe(host));
});

test("a wildcard is of all below it, and not of itself or of a name that only ends like it", () => {
  expect(coversHost("*.shop.example", "my.shop.example")).toBe(true);
  expect(coversHost("*.shop.example", "a.my.shop.example")).toBe(true);
  expect(coversHost("*.shop.example", "*.my.shop.example")).toBe(true);
  expect(coversHost("*.shop.example", "*.shop.example")).toBe(true);
  expect(coversHost("*.shop.example", "shop.example")).toBe(false);
  expect(coversHost("*.shop.example", ".shop.example")).toBe(false);
  expect(coversHost("*.shop.example", "myshop.example")).toBe(false);
  expect(coversHost("my.shop.example", "*.shop.example")).toBe(false);
});

test("a host is found with all it is one of, itself first, then the longer ones", () => {
  const hosts = compileHosts(
    ["*.example", "shop.example", "*.my.shop.example", "*.shop.example", "[::1]"],
    (of) => of.join(" "),
  );
  expect(hosts.of("SHOP.example:8443")).toBe("shop.example *.example");
  expect(hosts.of("a.b.my.shop.example")).toBe("*.my.shop.example *.shop.example *.example");
  expect(hosts.of("my.shop.example.")).toBe("*.shop.example *.example");
  expect(hosts.of("[0:0::1]:80")).toBe("[::1]");
  expect(hosts.of("example")).toBe("");
  expect(hosts.of(".example")).toBe("");
  expect(hosts.of("")).toBe("");
});

test("whatever hosts there are, a request's are those that cover its own, and the first is the most specific", () => {
  const label = fc.constantFrom("a", "b", "my", "shop");
  const name = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join("."));
  const pattern = fc.tuple(fc.boolean(), name).map(([isBelow, text]) => (isBelow ? `*.${text}` : text));
  fc.assert(
    fc.property(
      fc.uniqueArray(pattern, { maxLength: 8 }),
      name,
      fc.constantFrom("", ".", ":8443"),
      (patterns, host, end) => {
        const found = compileHosts(patterns, (of) => of).of(`${host.toUpperCase()}${end}`);
        expect([...found].sort()).toEqual(patterns.filter((one) => coversHost(one, host)).sort());
        for (const [at, one] of found.entries()) {
          for (const wider of found.slice(at + 1)) expect(coversHost(wider, one)).toBe(true);
        }
      },
    ),
  );
});
