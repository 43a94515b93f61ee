/** Valid configurations as plain values, before YAML: whatever the schema's space and the checks allow. */
import fc from "fast-check";

const hex = fc.stringMatching(/^[0-9a-f]{64}$/);
const name = fc.stringMatching(/^[a-z0-9][a-z0-9_-]{0,12}$/);
const wait = fc.oneof(
  fc.integer({ min: 1, max: 86_400_000 }).map((n) => `${n}ms`),
  fc.integer({ min: 1, max: 24 }).map((n) => `${n}h`),
);
const lifetime = fc.oneof(
  wait,
  fc.integer({ min: 1, max: 3650 }).map((n) => `${n}d`),
);
const headerSource = fc.constantFrom(
  "header:x-shopper-id",
  "cookie:sid",
  "query:u",
  "json:/order_id",
  "header:l#/(\\d+)$",
);

const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });

/** Absent keys are absent, not undefined. */
function present(record: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined));
}

const listeners = fc
  .record({
    proxy: maybe(fc.integer({ min: 0, max: 9899 })),
    admin: maybe(fc.integer({ min: 9901, max: 65_535 })),
  })
  .map(({ proxy, admin }) =>
    present({
      proxy: proxy === undefined ? undefined : { host: "0.0.0.0", port: proxy },
      admin: admin === undefined ? undefined : { host: "::1", port: admin },
    }),
  );

const timeouts = fc
  .record({ connect: maybe(wait), headers: maybe(wait), idle: maybe(wait), total: maybe(wait) })
  .map(present);

/** Each a copy: what stands twice in a document becomes an alias. */
const oneOf = (...blocks: readonly Readonly<Record<string, unknown>>[]) =>
  fc.constantFrom(...blocks).map((block) => structuredClone(block));

const upstream = fc
  .record({
    url: fc.integer({ min: 1, max: 65_535 }).map((port) => `http://127.0.0.1:${port}`),
    connections: maybe(
      fc.oneof(fc.integer({ min: 1, max: 1000 }), oneOf({}, { max: 5 }, { max: 9, maxAge: "1m" })),
    ),
    timeouts: maybe(timeouts),
    concurrency: maybe(oneOf({}, { max: 1, queue: 0 }, { max: 100, queue: 50, wait: "250ms" })),
    breaker: maybe(oneOf({}, { failures: 1, open: "1s", probes: 3 })),
    host: maybe(fc.constantFrom("preserve", "upstream", "shop-eu.example:8443")),
    rewrite: maybe(
      oneOf(
        {},
        {
          path: [
            { from: "/a/*", to: "/b/*" },
            { from: "/c/:id", to: "/d/:id/x" },
          ],
        },
        { request: { set: { "X-A": "{requestId}" }, add: { "X-B": "{{}}" }, remove: ["X-C"] } },
        { response: { set: { "X-A": "a" }, remove: ["Server"] } },
      ),
    ),
    health: maybe(oneOf({ path: "/" }, { path: "/health?deep", interval: "1s", timeout: "1s" })),
  })
  .map(present);

const auth = fc.oneof(
  fc.constant("none"),
  fc
    .uniqueArray(
      fc.record({ name, role: fc.constantFrom("viewer", "responder", "operator", "admin"), sha256: hex }),
      { minLength: 1, maxLength: 3, selector: ({ sha256 }) => sha256 },
    )
    .map((tokens) => ({ tokens })),
  fc
    .record({
      issuer: fc.constantFrom("https://id.example", "http://127.0.0.1:1/realms/shop"),
      audience: name,
      claim: fc.constantFrom("groups", "/realm_access/roles"),
      roles: fc.constantFrom({ sre: "operator" }, { readers: "viewer", leads: "admin" }),
      jwksUri: maybe(fc.constant("https://id.example/keys")),
      page: maybe(
        oneOf(
          { clientId: "page", url: "https://cutover.example" },
          { clientId: "page", secret: "s", url: "http://127.0.0.1:9900", scopes: ["openid", "groups"] },
        ),
      ),
      cli: maybe(oneOf({ clientId: "cli" }, { clientId: "cli", parameters: { resource: "urn:cutover" } })),
    })
    .map((oidc) => ({ oidc: present(oidc) })),
);

const owner = fc
  .record({
    key: fc.oneof(headerSource, fc.array(headerSource, { minLength: 1, maxLength: 3 })),
    learn: maybe(fc.array(headerSource, { minLength: 1, maxLength: 2 })),
    ttl: maybe(lifetime),
    patterns: maybe(
      fc.array(
        fc.record({ pattern: fc.constantFrom("^A-", "b|c"), side: fc.constantFrom("legacy", "new") }),
        {
          maxLength: 2,
        },
      ),
    ),
  })
  .map(present);

const route = fc.record({
  methods: maybe(fc.subarray(["GET", "POST", "PUT", "M-SEARCH"], { minLength: 1 })),
  journey: maybe(fc.constantFrom("start", "end")),
  payment: maybe(fc.boolean()),
  learns: maybe(fc.boolean()),
  unknown: maybe(fc.constantFrom("bucket", "retry")),
  ending: fc.constantFrom("", "/*", "/:id", "/:id/pay"),
});

/** Names and paths come from the position, so that none repeats. */
const cutover = fc.record({
  swapped: fc.boolean(),
  shopper: fc.array(headerSource, { minLength: 1, maxLength: 3 }),
  salt: maybe(fc.string({ minLength: 1, maxLength: 8 }).map((text) => text.replaceAll("$", "s"))),
  routes: fc.array(route, { minLength: 1, maxLength: 4 }),
  journey: maybe(fc.record({ ttl: fc.constantFrom("1s", "30m"), maxTtl: fc.constantFrom("30m", "4h") })),
  owners: maybe(fc.array(owner, { maxLength: 3 })),
  force: maybe(
    fc.record({
      header: fc.constantFrom("x-force", "X-Side"),
      secrets: fc.array(hex, { minLength: 1, maxLength: 2 }),
    }),
  ),
  onStale: maybe(fc.constantFrom("hold", "legacy")),
  fallback: maybe(fc.boolean()),
  cookies: maybe(
    fc.subarray(["sid", "session*", "__Host-cart"], { minLength: 1 }).map((apart) => ({ apart: [...apart] })),
  ),
});

export const validConfig = fc
  .record({
    listeners: maybe(listeners),
    workers: maybe(fc.oneof(fc.integer({ min: 1, max: 256 }), fc.constant("auto"))),
    drain: maybe(fc.constantFrom({}, { delay: "5s" }, { delay: "0s", grace: "0ms" }, { grace: "30s" })),
    limits: maybe(
      fc.constantFrom(
        {},
        { connections: 1 },
        { connections: 50_000, body: "1B", pace: "1s" },
        { body: "1024GiB" },
      ),
    ),
    engine: maybe(fc.constantFrom("undici", "http-proxy")),
    prefix: maybe(name),
    staleAfter: maybe(wait),
    snapshot: maybe(fc.constantFrom("off", "var/s.json")),
    audit: maybe(fc.constantFrom("off", "var/audit.ndjson")),
    spool: maybe(fc.constantFrom("off", "var/spool")),
    store: maybe(
      fc.constantFrom("memory:", "file:var/state.json", "redis://127.0.0.1:6379", "rediss://h:1/2"),
    ),
    trustedProxies: maybe(fc.array(fc.constantFrom("10.0.0.0/8", "::1", "192.168.1.1"), { maxLength: 3 })),
    auth: maybe(auth),
    upstreams: fc.uniqueArray(fc.tuple(name, upstream), {
      minLength: 2,
      maxLength: 4,
      selector: ([key]) => key,
    }),
    cutovers: maybe(fc.uniqueArray(fc.tuple(name, cutover), { maxLength: 3, selector: ([key]) => key })),
  })
  .map(({ upstreams, cutovers, ...rest }) => {
    const [first = "", second = ""] = upstreams.map(([key]) => key);
    return present({
      ...rest,
      upstreams: Object.fromEntries(upstreams),
      default: first,
      cutovers:
        cutovers &&
        Object.fromEntries(
          cutovers.map(([key, { swapped, routes, journey, ...other }], place) => [
            key,
            present({
              ...other,
              legacy: swapped ? second : first,
              new: swapped ? first : second,
              journey: journey && { ...journey, cookie: `j${place}` },
              routes: routes.map(({ ending, ...fields }, index) =>
                present({
                  ...fields,
                  name: `r${index}`,
                  path: `/c${place}/r${index}${ending}`,
                  journey: journey && fields.journey,
                  // What is learned has to be learned somewhere.
                  learns: index === 0 && other.owners?.some((one) => "learn" in one) ? true : fields.learns,
                }),
              ),
            }),
          ]),
        ),
    });
  });

export type Path = readonly (string | number)[];

/** Every value under the root, with its path. */
export function valuesOf(root: unknown, at: Path = []): { readonly path: Path; readonly value: unknown }[] {
  const below = Array.isArray(root)
    ? root.flatMap((item: unknown, index) => valuesOf(item, [...at, index]))
    : typeof root === "object" && root !== null
      ? Object.entries(root).flatMap(([key, value]) => valuesOf(value, [...at, key]))
      : [];
  return [{ path: at, value: root }, ...below];
}
