import { describe, expect, test } from "vitest";
import { createCookieJar } from "../../../../src/demo/shoppers/browser.ts";

const jarAt = (nowMs: number) => createCookieJar(() => nowMs);

describe("the cookie jar", () => {
  test("has nothing to send at first", () => {
    expect(jarAt(0).header()).toBeUndefined();
  });

  test("sends back what it was given, the last value of a name", () => {
    const jar = jarAt(0);
    jar.keep(["sid=a; Path=/; HttpOnly", "cutover_journey=v1.x=y; Max-Age=1800"]);
    jar.keep(["sid=b"]);
    expect(jar.header()).toBe("sid=b; cutover_journey=v1.x=y");
  });

  test.each(["sid=; Max-Age=0", "sid=; max-age=-1", "sid=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"])(
    "forgets on %s",
    (field) => {
      const jar = jarAt(1_700_000_000_000);
      jar.keep(["sid=a"]);
      jar.keep([field]);
      expect(jar.header()).toBeUndefined();
    },
  );

  test("heeds Max-Age before Expires (RFC 6265 §5.3)", () => {
    const jar = jarAt(1_700_000_000_000);
    jar.keep(["sid=a; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60"]);
    expect(jar.header()).toBe("sid=a");
  });

  test("passes over a field without a name", () => {
    const jar = jarAt(0);
    jar.keep(["nonsense", "=x", ""]);
    expect(jar.header()).toBeUndefined();
  });
});
