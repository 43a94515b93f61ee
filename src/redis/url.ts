/**
 * Where Redis is, from the store's URL. PURE.
 *
 *   redis://[USER:PASSWORD@]HOST[:PORT][/DB]            one server; rediss:// with TLS
 *   redis-sentinel://[USER:PASSWORD@]HOST[:PORT],…/MASTER
 *   redis-cluster://[USER:PASSWORD@]HOST[:PORT],…       some of the nodes; the others are found
 *
 * `?ca=FILE` names the certificates to trust instead of Node's own list; `?tls=true` is TLS for Sentinel and Cluster.
 * Sentinels that want a password of their own get it by `?sentinelPassword=` and `?sentinelUser=`. User, password and
 * query are percent-encoded.
 */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

interface Common {
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** `undefined`: without TLS. */
  readonly tls: { readonly caFile: string | undefined } | undefined;
}

export type RedisUrl =
  | (Common & { readonly kind: "single"; readonly at: Endpoint; readonly db: number })
  | (Common & {
      readonly kind: "sentinel";
      readonly sentinels: readonly Endpoint[];
      readonly master: string;
      readonly sentinelUser: string | undefined;
      readonly sentinelPassword: string | undefined;
    })
  | (Common & { readonly kind: "cluster"; readonly nodes: readonly Endpoint[] });

const redisPort = 6379;
const sentinelPort = 26379;
const shape =
  /^(redis|rediss|redis-sentinel|redis-cluster):\/\/(?:([^/?#]*)@)?([^@/?#\s]+)(?:\/([^?#\s]*))?(?:\?([^#\s]*))?$/;
const keysOf = {
  redis: [],
  rediss: ["ca"],
  "redis-sentinel": ["ca", "tls", "sentinelUser", "sentinelPassword"],
  "redis-cluster": ["ca", "tls"],
} as const satisfies Record<string, readonly string[]>;

/** @returns `undefined` when the text is no URL of Redis */
export function parseRedisUrl(text: string): RedisUrl | undefined {
  const [, scheme, userInfo = "", hosts = "", path = "", search = ""] = shape.exec(text) ?? [];
  if (!isScheme(scheme)) return undefined;
  const query = queryOf(search, keysOf[scheme]);
  const credentials = credentialsOf(userInfo);
  const endpoints = endpointsOf(hosts, scheme === "redis-sentinel" ? sentinelPort : redisPort);
  if (query === undefined || credentials === undefined || endpoints === undefined) return undefined;
  const wantsTls = scheme === "rediss" || query.get("tls") === "true";
  if (query.has("ca") && (!wantsTls || query.get("ca") === "")) return undefined;
  const common = { ...credentials, tls: wantsTls ? { caFile: query.get("ca") } : undefined };

  switch (scheme) {
    case "redis-sentinel": {
      const master = decoded(path);
      if (master === undefined || master === "") return undefined;
      const sentinelUser = query.get("sentinelUser");
      const sentinelPassword = query.get("sentinelPassword");
      return { kind: "sentinel", ...common, sentinels: endpoints, master, sentinelUser, sentinelPassword };
    }
    case "redis-cluster":
      return path === "" ? { kind: "cluster", ...common, nodes: endpoints } : undefined;
    default: {
      const [at, ...more] = endpoints;
      if (at === undefined || more.length > 0 || !/^\d{0,4}$/.test(path)) return undefined;
      return { kind: "single", ...common, at, db: Number(path) };
    }
  }
}

/** @returns where it is, in one spelling and without what is secret */
function placeOf(url: RedisUrl): string {
  const listed = (endpoints: readonly Endpoint[]) =>
    endpoints
      .map(({ host, port }) => `${host.toLowerCase()}:${port}`)
      .toSorted()
      .join(",");
  switch (url.kind) {
    case "single":
      return `redis://${listed([url.at])}/${url.db}`;
    case "sentinel":
      return `redis-sentinel://${listed(url.sentinels)}/${url.master}`;
    case "cluster":
      return `redis-cluster://${listed(url.nodes)}`;
  }
}

/** @returns the same for a store's URL of any kind: what is not Redis is what it says */
export function placeOfStore(text: string): string {
  const redis = parseRedisUrl(text);
  return redis === undefined ? text : placeOf(redis);
}

function isScheme(text: string | undefined): text is keyof typeof keysOf {
  return text !== undefined && Object.hasOwn(keysOf, text);
}

function queryOf(search: string, known: readonly string[]): ReadonlyMap<string, string> | undefined {
  const query = new Map<string, string>();
  for (const pair of search === "" ? [] : search.split("&")) {
    const [, key = "", value = ""] = /^([^=]*)=(.*)$/s.exec(pair) ?? [];
    const text = decoded(value);
    if (!known.includes(key) || query.has(key) || text === undefined) return undefined;
    query.set(key, text);
  }
  const tls = query.get("tls");
  return tls === undefined || tls === "true" || tls === "false" ? query : undefined;
}

function credentialsOf(userInfo: string): Pick<Common, "user" | "password"> | undefined {
  const colon = userInfo.indexOf(":");
  const user = decoded(colon === -1 ? userInfo : userInfo.slice(0, colon));
  const password = decoded(colon === -1 ? "" : userInfo.slice(colon + 1));
  if (user === undefined || password === undefined) return undefined;
  return { user: user === "" ? undefined : user, password: password === "" ? undefined : password };
}

function endpointsOf(hosts: string, defaultPort: number): readonly Endpoint[] | undefined {
  const endpoints: Endpoint[] = [];
  for (const each of hosts.split(",")) {
    const [, bracketed, plain, port] = /^(?:\[([0-9A-Fa-f:.]+)\]|([\w.-]+))(?::(\d{1,5}))?$/.exec(each) ?? [];
    const host = bracketed ?? plain;
    const number = port === undefined ? defaultPort : Number(port);
    if (host === undefined || number < 1 || number > 65_535) return undefined;
    endpoints.push({ host, port: number });
  }
  return endpoints;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
