import { describe, expect, test } from "vitest";
import { signPin } from "../../../../../src/decide/pin.ts";
import { answer, createFixture } from "../../../../support/exchange-fixture.ts";
import { valuesOf } from "../../../../support/raw-upstream.ts";
import { turn, until } from "../../../../support/until.ts";

type Fixture = ReturnType<typeof createFixture>;

const host = ["Host", "shop.example"];
const withCookie = (cookie: string) => [...host, "X-Shopper-Id", "a", "Cookie", cookie];

/** Sends a request, lets the upstream answer, and gives the journey cookie of the answer. */
async function pass(fixture: Fixture, method: string, target: string, cookie = "theme=dark", status = 200) {
  const body = method === "POST" ? "{}" : undefined;
  const client = fixture.send({ method, target, fields: withCookie(cookie) }, body);
  await turn();
  await turn();
  answer(fixture.attempts.at(-1), status);
  const fields = valuesOf(client.heads.at(-1)?.fields ?? [], "set-cookie");
  return fields.find((field) => field.startsWith("cutover_journey="))?.split(";")[0];
}

describe("what is told of journeys", () => {
  test("is their start, each further answer and their end, under one id", async () => {
    const fixture = createFixture({ state: { percentThousandths: 100_000 } });
    const cookie = await pass(fixture, "POST", "/checkout");
    fixture.time.ms += 1000;
    await pass(fixture, "GET", "/cart/1", cookie);
    await pass(fixture, "POST", "/checkout", cookie);
    await pass(fixture, "POST", "/orders/X-1/pay", cookie, 402);
    await pass(fixture, "POST", "/orders/X-1/pay", cookie, 200);
    expect(fixture.journeys.map(({ event }) => event)).toEqual(["start", "seen", "seen", "seen", "end"]);
    expect(new Set(fixture.journeys.map(({ pin }) => pin.id)).size).toBe(1);
    expect(fixture.journeys.every(({ cutover, pin }) => cutover === "checkout" && pin.side === "new")).toBe(
      true,
    );
  });

  test("is nothing of requests outside a journey", async () => {
    const fixture = createFixture();
    await pass(fixture, "GET", "/cart/1");
    await pass(fixture, "POST", "/orders/X-1/pay");
    expect(fixture.journeys).toEqual([]);
  });

  test("is another journey when it begins anew on the other side after a hard rollback", async () => {
    const fixture = createFixture({ state: { percentThousandths: 100_000 } });
    const cookie = await pass(fixture, "POST", "/checkout");
    fixture.set({ percentThousandths: 0, state: "rolled_back", pinEpoch: 1 });
    await pass(fixture, "POST", "/checkout", cookie);
    const [first, second] = fixture.journeys;
    expect(second).toMatchObject({ event: "start", pin: { side: "legacy", epoch: 1 } });
    expect(second?.pin.id).not.toBe(first?.pin.id);
  });
});

describe("what is told of orders", () => {
  test("is the one a 2xx has finished where journeys end, and no idempotency key", async () => {
    const fixture = createFixture();
    await pass(fixture, "POST", "/orders/X-1/pay", undefined, 402);
    await pass(fixture, "POST", "/orders/X-1/pay", undefined, 302);
    expect(fixture.finished).toEqual([]);
    const fields = [...host, "Idempotency-Key", "K-1"];
    fixture.send({ method: "POST", target: "/orders/X-2/pay", fields }, "{}");
    await until("it is sent on", () => fixture.attempts.length === 3);
    answer(fixture.attempts.at(-1), 201);
    expect(fixture.finished).toEqual(["checkout X-2"]);
  });

  test("is the one a payment names in its body, and nothing of a route that finishes none", async () => {
    const routes = [
      { name: "pay", path: "/pay", methods: ["POST"], payment: true },
      { name: "callback", path: "/callbacks/payment", methods: ["POST"] },
    ];
    const fixture = createFixture({ cutover: { routes, journey: undefined } });
    for (const target of ["/callbacks/payment", "/pay"]) {
      fixture.send({ method: "POST", target, fields: host }, '{"order_id":"X-3"}');
      const sent = fixture.attempts.length;
      await until("it is sent on", () => fixture.attempts.length > sent);
      answer(fixture.attempts.at(-1), 200);
    }
    expect(fixture.finished).toEqual(["checkout X-3"]);
  });
});

describe("an order whose form tells its side", () => {
  const owners = [
    {
      key: ["param:orderId", "json:/order_id"],
      learn: ["json:/orderId"],
      patterns: [{ pattern: "^SS-", side: "legacy" }],
    },
  ];
  /** @param named what the answer names */
  async function post(fixture: ReturnType<typeof createFixture>, target: string, named: string) {
    const sent = fixture.attempts.length;
    fixture.send({ method: "POST", target, fields: host }, "{}");
    await until("it is sent on", () => fixture.attempts.length > sent);
    answer(
      fixture.attempts.at(-1),
      200,
      ["Content-Type", "application/json"],
      JSON.stringify({ orderId: named }),
    );
    await turn();
  }

  test("is made by the answer that names it first, not by one to a request that names it itself", async () => {
    const fixture = createFixture({ cutover: { owners } });
    await post(fixture, "/checkout", "SS-1");
    expect(fixture.learned).toEqual(["SS-1 legacy"]);
    // Made long ago, or on another instance.
    await post(fixture, "/orders/SS-2/pay", "SS-2");
    expect(fixture.learned).toEqual(["SS-1 legacy"]);
    await post(fixture, "/orders/SS-2/pay", "SS-3");
    expect(fixture.learned).toEqual(["SS-1 legacy", "SS-3 legacy"]);
    // What an answer that finishes names first is finished with it.
    expect(fixture.finished).toEqual(["checkout SS-2", "checkout SS-2", "checkout SS-3"]);
  });
});

describe("the cookie of a journey", () => {
  test("lives for a minute after its end, for confirmation pages, and no longer however much they are loaded", async () => {
    const fixture = createFixture({ state: { percentThousandths: 100_000 } });
    const cookie = await pass(fixture, "POST", "/checkout");
    await pass(fixture, "POST", "/orders/X-1/pay", cookie, 402);
    fixture.time.ms += 1000;
    await pass(fixture, "GET", "/cart/1", cookie);
    const ended = await pass(fixture, "POST", "/orders/X-1/pay", cookie, 200);
    fixture.set({ percentThousandths: 0 });
    fixture.time.ms += 30_000;
    expect(await pass(fixture, "GET", "/cart/1", ended)).toBeUndefined();
    expect(fixture.decisions.at(-1)).toBe("new journey");
    fixture.time.ms += 29_999;
    await pass(fixture, "GET", "/cart/1", ended);
    expect(fixture.decisions.at(-1)).toBe("new journey");
    fixture.time.ms += 1;
    await pass(fixture, "GET", "/cart/1", ended);
    expect(fixture.decisions.at(-1)).toBe("legacy bucket");
    expect(fixture.counted).toContain("pin checkout expired");
  });
});

describe("a journey cookie that does not count", () => {
  const signed = (secret: string, cutover: string) => {
    const startedAt = 1_700_000_000;
    const pin = {
      id: "AbC_-0123xyz",
      side: "new",
      epoch: 0,
      startedAt,
      expiresAt: startedAt + 1800,
    } as const;
    return `cutover_journey=${signPin(secret, cutover, pin)}`;
  };

  test.each([
    ["tampered with", (cookie: string) => cookie.replace(".n.", ".l."), "signature"],
    ["cut short", (cookie: string) => cookie.slice(0, -1), "malformed"],
    ["anything", () => "cutover_journey=new", "malformed"],
    ["another cutover's", () => signed("s3cret", "wallet"), "signature"],
    ["signed with a secret of nobody's", () => signed("guess", "checkout"), "signature"],
  ])("is ignored and counted: %s", async (_, spoil, fault) => {
    const fixture = createFixture({ state: { percentThousandths: 100_000 } });
    const cookie = (await pass(fixture, "POST", "/checkout")) ?? "";
    fixture.set({ percentThousandths: 0 });
    await pass(fixture, "GET", "/cart/1", spoil(cookie));
    expect(fixture.decisions.at(-1)).toBe("legacy bucket");
    expect(fixture.counted).toContain(`pin checkout ${fault}`);
  });

  test("is ignored and counted: expired", async () => {
    const fixture = createFixture({ state: { percentThousandths: 100_000 } });
    const cookie = await pass(fixture, "POST", "/checkout");
    fixture.set({ percentThousandths: 0 });
    fixture.time.ms += 1800 * 1000;
    await pass(fixture, "GET", "/cart/1", cookie);
    expect(fixture.decisions.at(-1)).toBe("legacy bucket");
    expect(fixture.counted).toContain("pin checkout expired");
  });

  test("is not what a request without one carries", async () => {
    const fixture = createFixture();
    await pass(fixture, "GET", "/cart/1", "sid=1");
    expect(fixture.counted).toEqual(["legacy ok"]);
  });
});

describe("of several cookies of the journey's name", () => {
  const pinned = async () => {
    const fixture = createFixture({ state: { percentThousandths: 100_000 } });
    const cookie = (await pass(fixture, "POST", "/checkout")) ?? "";
    fixture.set({ percentThousandths: 0 });
    return { fixture, cookie };
  };
  const namesake = "cutover_journey=theirs";
  const foreign = `cutover_journey=${signPin("another proxy's", "checkout", {
    id: "AbC_-0123xyz",
    side: "legacy",
    epoch: 0,
    startedAt: 1_700_000_000,
    expiresAt: 1_700_001_800,
  })}`;

  test.each([
    ["a namesake before it in one field", (cookie: string) => [`${namesake}; ${cookie}`]],
    [
      "a namesake before it in a field of its own, as an HTTP/2 crumb is",
      (cookie: string) => [namesake, cookie],
    ],
    ["a pin that another proxy has signed", (cookie: string) => [`${foreign}; a=1`, `b=2; ${cookie}`]],
    ["a namesake behind it", (cookie: string) => [`${cookie}; ${namesake}`]],
  ])("the first valid one counts, and the others go on: %s", async (_, cookies) => {
    const { fixture, cookie } = await pinned();
    const sent = cookies(cookie);
    const fields = [...host, "X-Shopper-Id", "a", ...sent.flatMap((value) => ["Cookie", value])];
    fixture.send({ method: "GET", target: "/cart/1", fields });
    expect(fixture.decisions.at(-1)).toBe("new journey");
    expect(fixture.counted.filter((what) => what.startsWith("pin"))).toEqual([]);
    const seen = valuesOf(fixture.attempts.at(-1)?.request.fields ?? [], "cookie").join("; ");
    expect(seen).not.toContain(cookie);
    expect(seen).toBe(
      sent
        .join("; ")
        .split("; ")
        .filter((part) => part !== cookie)
        .join("; "),
    );
  });

  test("none that is valid is counted once", async () => {
    const { fixture } = await pinned();
    await pass(fixture, "GET", "/cart/1", `${namesake}; ${foreign}`);
    expect(fixture.decisions.at(-1)).toBe("legacy bucket");
    expect(fixture.counted.filter((what) => what.startsWith("pin"))).toEqual(["pin checkout malformed"]);
  });

  test("an inner proxy of the same cookie name keeps its own, also where no cutover matches and the pin has expired", async () => {
    const { fixture, cookie } = await pinned();
    fixture.time.ms += 5 * 3_600_000;
    fixture.send({ method: "GET", target: "/about", fields: withCookie(`${foreign}; ${cookie}`) });
    expect(valuesOf(fixture.attempts.at(-1)?.request.fields ?? [], "cookie")).toEqual([foreign]);
  });
});

describe("an answer that is given a journey's cookie", () => {
  /** @returns the values of a field of the answer to a request that starts or goes on with a journey */
  async function answerOf(fields: readonly string[], named: string, method = "GET", cookie?: string) {
    const fixture = createFixture({
      cutover: {
        routes: [
          { name: "start", path: "/start", journey: "start" },
          { name: "cart", path: "/cart/*" },
        ],
      },
    });
    const target = cookie === undefined ? "/start" : "/cart/1";
    const client = fixture.send({ method, target, fields: withCookie(cookie ?? "a=1") });
    await turn();
    answer(fixture.attempts.at(-1), 200, fields);
    return valuesOf(client.heads.at(-1)?.fields ?? [], named);
  }

  test.each([
    [[], "private"],
    [["Cache-Control", "public, max-age=600, s-maxage=900"], "private, max-age=600"],
    [["Cache-Control", "Public", "cache-control", 'max-age=60, S-MaxAge="9"'], "private, max-age=60"],
    [
      ["Cache-Control", 'no-cache="Set-Cookie, public", max-age=60'],
      'private, no-cache="Set-Cookie, public", max-age=60',
    ],
    [["Cache-Control", 'private="Set-Cookie", max-age=60'], "private, max-age=60"],
    [["Cache-Control", "no-store"], "no-store"],
    [["Cache-Control", "max-age=5, private"], "max-age=5, private"],
    [
      ["CDN-Cache-Control", "max-age=600", "Surrogate-Control", "max-age=5", "Cache-Control", "no-store"],
      "no-store",
    ],
  ])(
    "is for its shopper alone, so that no cache between gives Ana's pin to Bob: %s",
    async (fields, expected) => {
      expect(await answerOf(fields, "cache-control")).toEqual([expected]);
      for (const targeted of ["cdn-cache-control", "surrogate-control"]) {
        expect(await answerOf(fields, targeted)).toEqual([]);
      }
    },
  );

  test("is left as it is to a POST that no cache keeps, and is not to one that says it may be kept", async () => {
    expect(await answerOf([], "cache-control", "POST")).toEqual([]);
    expect(await answerOf(["Expires", "Thu, 01 Jan 2026 00:00:00 GMT"], "cache-control", "POST")).toEqual([
      "private",
    ]);
    expect(await answerOf(["Cache-Control", "public, max-age=9"], "cache-control", "POST")).toEqual([
      "private, max-age=9",
    ]);
  });

  test("is left as it is where no cookie is added", async () => {
    const kept = ["Cache-Control", "public, s-maxage=9", "CDN-Cache-Control", "max-age=9"];
    expect(await answerOf(kept, "cache-control", "GET", "a=1")).toEqual(["public, s-maxage=9"]);
    expect(await answerOf(kept, "cdn-cache-control", "GET", "a=1")).toEqual(["max-age=9"]);
  });
});

describe("what a browser is told of the cookie", () => {
  /** @returns the attributes of a new journey's cookie */
  async function attributes(
    journey: Readonly<Record<string, unknown>>,
    {
      fields = [],
      encrypted = false,
      trusted = true,
    }: { fields?: readonly string[]; encrypted?: boolean; trusted?: boolean } = {},
  ) {
    const fixture = createFixture({
      cutover: { journey: { cookie: "cutover_journey", secret: "s3cret", ...journey } },
      trusts: () => trusted,
    });
    const peer = { address: "192.0.2.7", encrypted };
    const client = fixture.send(
      { method: "POST", target: "/checkout", fields: [...withCookie("a=1"), ...fields], peer },
      "{}",
    );
    await turn();
    await turn();
    answer(fixture.attempts.at(-1), 200);
    const [cookie = ""] = valuesOf(client.heads.at(-1)?.fields ?? [], "set-cookie");
    return cookie.slice(cookie.indexOf(";") + 2);
  }
  const plain = "Path=/; Max-Age=1800; HttpOnly; SameSite=Lax";
  const https = ["X-Forwarded-Proto", "https"];

  test("is nothing new where nothing is configured", async () => {
    expect(await attributes({})).toBe(plain);
    expect(await attributes({}, { encrypted: true })).toBe(`${plain}; Secure`);
  });

  test("says Secure behind a balancer that ends TLS, where that is trusted", async () => {
    expect(await attributes({}, { fields: https })).toBe(`${plain}; Secure`);
    expect(await attributes({}, { fields: ["x-forwarded-proto", "HTTPS, http"] })).toBe(`${plain}; Secure`);
    expect(await attributes({}, { fields: ["X-Forwarded-Proto", "http", ...https] })).toBe(plain);
    expect(await attributes({}, { fields: https, trusted: false })).toBe(plain);
    expect(await attributes({ secure: "always" })).toBe(`${plain}; Secure`);
  });

  test("lets it come along with the cross-site POST of a 3-D Secure return", async () => {
    expect(await attributes({ sameSite: "none", secure: "always" })).toBe(
      "Path=/; Max-Age=1800; HttpOnly; SameSite=None; Secure",
    );
    // Without Secure a browser would drop it whole.
    expect(await attributes({ sameSite: "none" })).toBe(plain);
  });

  test("says the domain that is configured, and is taken back under it", async () => {
    expect(await attributes({ domain: "shop.example" })).toBe(`Domain=shop.example; ${plain}`);
  });
});

describe("a start that failed", () => {
  const failing = [400, 401, 422, 500, 503];

  test.each(failing)(
    "with %i gives its client no journey, and a rollback moves the next start",
    async (status) => {
      const fixture = createFixture({ state: { percentThousandths: 100_000 } });
      expect(await pass(fixture, "POST", "/checkout", "theme=dark", status)).toBeUndefined();
      expect(fixture.journeys).toEqual([]);
      fixture.set({ percentThousandths: 0, state: "rolled_back" });
      expect(await pass(fixture, "POST", "/checkout")).toBeDefined();
      expect(fixture.decisions.at(-1)).toBe("legacy rolled_back");
    },
  );

  test.each([201, 302, 399])("is not one that was answered with %i", async (status) => {
    const fixture = createFixture({ state: { percentThousandths: 100_000 } });
    expect(await pass(fixture, "POST", "/checkout", "theme=dark", status)).toBeDefined();
  });

  test("does not renew the journey there is, however often it is tried", async () => {
    const fixture = createFixture({ state: { percentThousandths: 100_000 } });
    let cookie = (await pass(fixture, "POST", "/checkout")) ?? "";
    for (let i = 0; i < 10; i++) {
      fixture.time.ms += 29 * 60_000;
      cookie = (await pass(fixture, "POST", "/checkout", cookie, 503)) ?? cookie;
    }
    await pass(fixture, "GET", "/cart/1", cookie);
    expect(fixture.counted).toContain("pin checkout expired");
  });
});

describe("after a rollback", () => {
  test("a journey on new drains within its maximum, also where each request is a start", async () => {
    const fixture = createFixture({ state: { percentThousandths: 100_000 } });
    let cookie = (await pass(fixture, "POST", "/checkout")) ?? "";
    fixture.set({ percentThousandths: 0, state: "rolled_back" });
    let onNew = 0;
    for (let i = 0; i < 20; i++) {
      fixture.time.ms += 20 * 60_000;
      const sides = fixture.attempts.length;
      cookie = (await pass(fixture, "POST", "/checkout", cookie)) ?? cookie;
      if (fixture.attempts[sides]?.upstream === "fresh") onNew += 1;
    }
    expect(onNew).toBe(11);
    expect(fixture.decisions.at(-1)).toBe("legacy journey");
  });
});

test("a start within the grace of a journey that has ended begins a new one by the bucket", async () => {
  const fixture = createFixture({ state: { percentThousandths: 100_000 } });
  const cookie = await pass(fixture, "POST", "/checkout");
  const ended = await pass(fixture, "POST", "/orders/X-1/pay", cookie);
  fixture.set({ percentThousandths: 0 });
  await pass(fixture, "GET", "/cart/1", ended);
  expect(fixture.decisions.at(-1)).toBe("new journey");
  const next = await pass(fixture, "POST", "/checkout", ended);
  expect(fixture.decisions.at(-1)).toBe("legacy bucket");
  expect(fixture.journeys.map(({ event }) => event)).toEqual(["start", "end", "start"]);
  expect(fixture.journeys[2]?.pin.id).not.toBe(fixture.journeys[0]?.pin.id);
  expect(next).toBeDefined();
});
