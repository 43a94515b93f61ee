/**
 * The addresses of hosts by their names, as getaddrinfo tells them (hosts file, `search`, `ndots`, localhost), and
 * without its thread: all lookups of a process share a few threads, so that a name server that is silent for one name
 * would hold up every other. Here a lookup is a datagram of its own (c-ares).
 *
 * One lookup at a time a name. An answer is in force for its time to live, 30 s at most; after that the next one is
 * waited for a moment, and while it is late or fails the last one goes on. Only a server that says there is no such name
 * ends that.
 */
import { Resolver } from "node:dns";
import { readFileSync } from "node:fs";
import { isIP, type LookupFunction } from "node:net";
import { networkInterfaces } from "node:os";

interface HostAddress {
  readonly address: string;
  readonly family: 4 | 6;
}

/** What came of a name; `ttlMs` says how long it is in force. */
interface Found {
  readonly addresses: readonly HostAddress[];
  readonly ttlMs: number;
}

interface NamesOptions {
  /** Name servers, `ADDRESS:PORT`; those of the system when absent. */
  readonly servers?: readonly string[];
  /** Texts of the system's files, read at each lookup. */
  readonly hostsFile?: () => string;
  readonly resolverFile?: () => string;
  readonly now?: () => number;
}

type Waiting = (error: NodeJS.ErrnoException | null, addresses: readonly HostAddress[]) => void;

interface Known {
  last: Found | undefined;
  /** Until when the last is in force. */
  until: number;
  /** When the lookup under way began; absent where none is. */
  since: number | undefined;
  readonly waiting: Set<Waiting>;
}

const mostTtlMs = 30_000;
const leastTtlMs = 1000;
const hostsTtlMs = 5000;
/** How long the last answer waits for a newer one. */
const lateMs = 200;
/** How long one family's addresses wait for the other's (RFC 8305 §3). */
const otherFamilyMs = 50;
const tries = { timeout: 1000, tries: 4 };

/** @returns a function in place of `dns.lookup`, for the `lookup` of node:net and node:tls */
export function createNames(options: NamesOptions = {}): LookupFunction {
  const now = options.now ?? (() => performance.now());
  const names = new Map<string, Known>();

  function refresh(name: string, known: Known): void {
    known.since = now();
    const over = (error: NodeJS.ErrnoException | null, found: Found | undefined) => {
      known.since = undefined;
      if (found !== undefined) {
        known.last = found;
        known.until = now() + found.ttlMs;
      } else if (error?.code === "ENOTFOUND") known.last = undefined;
      else known.until = now() + leastTtlMs;
      if (known.last === undefined) names.delete(name);
      for (const waiting of [...known.waiting]) waiting(error, known.last?.addresses ?? []);
    };
    find(name, options).then(
      (found) => over(null, found),
      (error: NodeJS.ErrnoException) => over(error, undefined),
    );
  }

  function addressesOf(name: string, done: Waiting): void {
    const known = names.get(name) ?? { last: undefined, until: 0, since: undefined, waiting: new Set() };
    names.set(name, known);
    const { last } = known;
    if (last !== undefined && now() < known.until) {
      process.nextTick(done, null, last.addresses);
      return;
    }
    if (known.since === undefined) refresh(name, known);
    let timer: NodeJS.Timeout | undefined;
    const once: Waiting = (error, addresses) => {
      clearTimeout(timer);
      known.waiting.delete(once);
      done(addresses.length > 0 ? null : error, addresses);
    };
    known.waiting.add(once);
    if (last === undefined) return;
    timer = setTimeout(once, Math.max(0, (known.since ?? 0) + lateMs - now()), null, last.addresses);
  }

  return (name, { all, family }, done) => {
    addressesOf(name.toLowerCase(), (error, found) => {
      const wanted = found.filter(
        (one) => family === undefined || family === 0 || `${family}`.endsWith(`${one.family}`),
      );
      const [first] = wanted;
      if (first === undefined) done(error ?? noSuchName(name), "", 0);
      else if (all) done(null, [...wanted]);
      else done(null, first.address, first.family);
    });
  };
}

function noSuchName(name: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`no address of ${name}`), { code: "ENOTFOUND" });
}

/** @throws Error with a code of c-ares; `ENOTFOUND` where the servers know that there is none */
async function find(name: string, options: NamesOptions): Promise<Found> {
  const family = isIP(name);
  if (family !== 0) return { addresses: [{ address: name, family: family === 6 ? 6 : 4 }], ttlMs: mostTtlMs };
  const bare = name.replace(/\.$/, "");
  const listed = inHosts(bare, textOf(options.hostsFile ?? (() => readFileSync("/etc/hosts", "latin1"))));
  if (listed.length > 0) return { addresses: listed, ttlMs: hostsTtlMs };
  if (/(?:^|\.)localhost$/.test(bare)) {
    const addresses = [{ address: "127.0.0.1", family: 4 } as const, { address: "::1", family: 6 } as const];
    return { addresses, ttlMs: mostTtlMs };
  }
  const conf = textOf(options.resolverFile ?? (() => readFileSync("/etc/resolv.conf", "latin1")));
  let trouble: unknown;
  for (const candidate of candidates(name, conf)) {
    try {
      return await ask(candidate, options.servers);
    } catch (error) {
      const code = codeOf(error);
      if (isAbsence(code)) continue;
      // A server that has trouble with one domain may know another; one that is silent has had its time.
      trouble ??= error;
      if (code !== "ESERVFAIL" && code !== "EREFUSED") break;
    }
  }
  // What getaddrinfo calls it.
  if (trouble !== undefined) throw Object.assign(new Error(`no answer for ${name}`), { code: "EAI_AGAIN" });
  throw noSuchName(name);
}

/** A file that is not there says nothing. */
function textOf(read: () => string): string {
  try {
    return read();
  } catch {
    return "";
  }
}

function inHosts(name: string, text: string): HostAddress[] {
  const found: HostAddress[] = [];
  for (const line of text.split("\n")) {
    const [address = "", ...names] = line.replace(/#.*/, "").trim().split(/\s+/);
    const family = isIP(address);
    if (family !== 0 && names.some((one) => one.toLowerCase() === name))
      found.push({ address, family: family === 6 ? 6 : 4 });
  }
  return found;
}

/** The names asked for, in order: those of `search` first where the name has fewer dots than `ndots` (resolv.conf(5)). */
function candidates(name: string, conf: string): readonly string[] {
  if (name.endsWith(".")) return [name.slice(0, -1)];
  let search: string[] = [];
  let ndots = 1;
  for (const line of conf.split("\n")) {
    const [key, ...values] = line
      .replace(/[#;].*/, "")
      .trim()
      .split(/\s+/);
    if (key === "search" || key === "domain") search = values;
    else if (key === "options") {
      for (const value of values) ndots = Number(/^ndots:(\d+)$/.exec(value)?.[1] ?? ndots);
    }
  }
  const longer = search.map((domain) => `${name}.${domain.replace(/^\.|\.$/g, "")}`.replace(/\.$/, ""));
  const isLong = name.split(".").length - 1 >= ndots;
  return [...new Set(isLong ? [name, ...longer] : [...longer, name])];
}

/** Both families at once; one that has addresses waits for the other a moment only. */
async function ask(name: string, servers: readonly string[] | undefined): Promise<Found> {
  const resolver = new Resolver(tries);
  if (servers !== undefined) resolver.setServers(servers);
  const [four, six] = [askFamily(resolver, name, 4), askFamily(resolver, name, 6)];
  const first = await Promise.any([four, six]).catch(() => undefined);
  // Neither has any: the family whose servers failed says more than the one that has none.
  if (first === undefined) throw await worseOf(four, six);
  const late = new Promise<undefined>((resolve) => setTimeout(resolve, otherFamilyMs, undefined).unref());
  const both = await Promise.all([four, six].map((one) => Promise.race([one.catch(() => undefined), late])));
  resolver.cancel();
  const found = both.flatMap((one) => (one === undefined ? [] : [one]));
  const ordered = hasIpv6() ? found.reverse() : found;
  return {
    addresses: ordered.flatMap(({ addresses }) => addresses),
    ttlMs: Math.min(...found.map(({ ttlMs }) => ttlMs)),
  };
}

function askFamily(resolver: Resolver, name: string, family: 4 | 6): Promise<Found> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, records: readonly { address: string; ttl: number }[]) => {
      if (error !== null) reject(error);
      else if (records.length === 0) reject(noSuchName(name));
      else {
        const ttlMs = Math.min(...records.map(({ ttl }) => ttl * 1000));
        const addresses = records.map(({ address }) => ({ address, family }));
        resolve({ addresses, ttlMs: Math.min(mostTtlMs, Math.max(leastTtlMs, ttlMs)) });
      }
    };
    if (family === 4) resolver.resolve4(name, { ttl: true }, done);
    else resolver.resolve6(name, { ttl: true }, done);
  });
}

async function worseOf(...asked: readonly Promise<Found>[]): Promise<unknown> {
  const settled = await Promise.allSettled(asked);
  const errors = settled.flatMap((one) => (one.status === "rejected" ? [one.reason] : []));
  return errors.find((error) => !isAbsence(codeOf(error))) ?? errors[0];
}

function isAbsence(code: string): boolean {
  return code === "ENOTFOUND" || code === "ENODATA";
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

/** Whether this host reaches others by IPv6, as far as its interfaces say. */
function hasIpv6(): boolean {
  return Object.values(networkInterfaces()).some((addresses) =>
    addresses?.some(
      ({ family, internal, address }) => family === "IPv6" && !internal && !address.startsWith("fe80:"),
    ),
  );
}
