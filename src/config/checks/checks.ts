/** What one part of the configuration says about another. Every rule is a function; each finds all it can. */
import { parseRedisUrl, placeOfStore } from "../../redis/url.ts";
import type { Draft } from "../load/draft.ts";
import { type Finding, formatPath, type Path, repeated, unwise, wrong } from "../load/problems.ts";
import { pageCookieNames } from "../values/page-cookies.ts";
import { accessFindings, accessWarnings, plainHost } from "./access-checks.ts";
import { apartFindings, apartWarnings } from "./apart-checks.ts";
import {
  afterFindings,
  afterWarnings,
  cohortLists,
  groupFindings,
  groupWarnings,
  linkWarnings,
} from "./cohort-checks.ts";
import { cutoverFindings, cutoverWarnings, takenHeaders } from "./cutover-checks.ts";
import { rewriteFindings } from "./rewrite-checks.ts";
import { routeFindings, routeWarnings, takesEverything } from "./route-checks.ts";

/** What makes the configuration wrong. */
export function findingsBetween(draft: Draft): Finding[] {
  return [
    ...upstreamNames(draft),
    ...listenerPorts(draft),
    ...nobodysHeaders(draft),
    ...longTargets(draft),
    ...accessFindings(draft),
    ...decisionHeader(draft),
    ...setFields(draft),
    ...draft.rewrites.flatMap((rewrite) => rewriteFindings(rewrite, ownFields)),
    ...cookieNames(draft),
    ...testersOwn(draft),
    ...droppedCookies(draft),
    ...routeFindings(draft),
    ...apartFindings(draft, ownCookies(draft)),
    ...cohortLists(draft),
    ...groupFindings(draft),
    ...afterFindings(draft),
    ...draft.cutovers.flatMap(cutoverFindings),
  ];
}

/** What is allowed but probably not meant. */
export function warningsBetween(draft: Draft): Finding[] {
  return [
    ...lostOwners(draft),
    ...ownersStores(draft),
    ...unroutedToLegacy(draft),
    ...greedyUpstreams(draft),
    ...lesserEngine(draft),
    ...lenientUpstreams(draft),
    ...accessWarnings(draft),
    ...groupWarnings(draft),
    ...linkWarnings(draft),
    ...afterWarnings(draft),
    ...routeWarnings(draft),
    ...apartWarnings(draft),
    ...draft.cutovers.flatMap(cutoverWarnings),
  ];
}

/** What each engine does not do is listed in docs/conformance.md. */
function lesserEngine({ engine }: Draft): Finding[] {
  if (engine !== "http-proxy") return [];
  const message =
    "http-proxy takes more CPU than undici, and sends repeated fields of a request next to each other, under the name of the first";
  return [unwise(["engine"], message)];
}

function lenientUpstreams({ lenient }: Draft): Finding[] {
  const message =
    "answers with an equal Content-Length twice, Transfer-Encoding: identity or folded fields are put right, not refused";
  return lenient.map((path) => unwise(path, message));
}

function lostOwners({ spooled, cutovers }: Draft): Finding[] {
  if (spooled || cutovers.every(({ owners }) => owners.length === 0)) return [];
  const message =
    "owners and notes of requests in doubt that could not be recorded are lost when this process ends before the store is back; killed it leaves in no doubt what it has sent within the last second or two";
  return [unwise(["spool"], message)];
}

/** A store of owners' own that does not do what it is for. */
function ownersStores({ store: main, cutovers }: Draft): Finding[] {
  if (main === undefined) return [];
  const server = (url: string) => placeOfStore(url).replace(/^(redis:.*)\/\d+$/, "$1");
  return cutovers.flatMap(({ ownerStore: own }) => {
    if (own === undefined) return [];
    const { path, value } = own;
    if (placeOfStore(value) === placeOfStore(main))
      return [unwise(path, "the same as store: owners are kept there without it")];
    if (server(value) === server(main))
      return [unwise(path, "another database of the same Redis as store: what fills one fills the other")];
    return parseRedisUrl(main) !== undefined && parseRedisUrl(value) === undefined
      ? [unwise(path, "the instances share the Redis of store, and no owners: each has its own")]
      : [];
  });
}

/** What a route leaves out goes there for ever. */
function unroutedToLegacy(draft: Draft): Finding[] {
  if (takesEverything(draft)) return [];
  const { default: fallback, cutovers } = draft;
  const those = cutovers.filter(({ legacy }) => legacy !== undefined && legacy === fallback);
  const names = those.map(({ at }) => at.at(-1)).join(", ");
  if (names === "") return [];
  const message = `what is on no route goes to the legacy of ${names}, also once that is closed and gone: see that the routes have every path and method that must move`;
  return [unwise(["default"], message)];
}

/** Nothing is left for the other side once one upstream has every connection. */
function greedyUpstreams({ connections, capacities }: Draft): Finding[] {
  if (connections === undefined) return [];
  const message = "hung, this upstream could hold every client connection: limits.connections is no higher";
  return capacities.flatMap(({ path, value }) => (value < connections ? [] : [unwise(path, message)]));
}

function upstreamNames({ upstreams, cutovers, ...draft }: Draft): Finding[] {
  if (upstreams === undefined) return [];
  const known = upstreams.map((name) => formatPath([name])).join(" or ");
  const message = `expected an upstream's name: ${known === "" ? "there are none" : known}`;
  const named: readonly [Path, string | undefined][] = [
    [["default"], draft.default],
    ...draft.hosts.map((host): [Path, string | undefined] => [[...host.at, "default"], host.default]),
    ...draft.fixed.map((route): [Path, string | undefined] => [[...route.at, "upstream"], route.upstream]),
    ...cutovers.flatMap((cutover): [Path, string | undefined][] => [
      [[...cutover.at, "legacy"], cutover.legacy],
      [[...cutover.at, "new"], cutover.new],
    ]),
  ];
  return named.flatMap(([path, name]) => {
    return name === undefined || upstreams.includes(name) ? [] : [wrong(path, message)];
  });
}

function listenerPorts({ proxy, admin }: Draft): Finding[] {
  if (proxy === undefined || admin === undefined) return [];
  if (admin.port === 0 || admin.port !== proxy.port) return [];
  const hosts = [plainHost(proxy.host), plainHost(admin.host)];
  const meet = hosts[0] === hosts[1] || hosts.includes("0.0.0.0") || hosts.includes("::");
  return meet
    ? [wrong(["listeners", "admin", "port"], "expected another port than listeners.proxy has")]
    : [];
}

function nobodysHeaders({ proxy, trusting }: Draft): Finding[] {
  if (proxy?.proxyProtocol !== true || trusting) return [];
  const message = "expected trustedProxies: a PROXY header is read from them alone";
  return [wrong(["listeners", "proxy", "proxyProtocol"], message)];
}

/** A target is in the head. */
function longTargets({ head, target }: Draft): Finding[] {
  if (head === undefined || target === undefined || target <= head) return [];
  return [wrong(["limits", "target"], "expected a size of at most limits.head")];
}

function decisionHeader({ decisionHeader: header }: Draft): Finding[] {
  if (header === undefined || !takenHeaders.has(header.toLowerCase())) return [];
  return [wrong(["decisionHeader"], "expected a header of its own: this one has a meaning in HTTP")];
}

/** What the proxy says by itself of a request, its way and its client. */
const ownFields: ReadonlySet<string> = new Set([
  ...["via", "cdn-loop", "forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"],
  ...["x-request-id", "traceparent"],
]);

function setFields({ setFields: upstreams }: Draft): Finding[] {
  return upstreams.flatMap((fields) => {
    const lower = fields.map(({ path, value }) => ({ path, value: value.toLowerCase() }));
    const taken = lower.filter(({ value }) => takenHeaders.has(value) || ownFields.has(value));
    const message = "expected a field that neither HTTP nor this proxy has a meaning for";
    return [
      ...taken.map(({ path }) => wrong(path, message)),
      ...repeated(lower, "expected each field once"),
    ].map((finding): Finding => ({ ...finding, on: "key", found: "unsaid" }));
  });
}

function ownCookies({ cutovers, visitor }: Draft) {
  return [
    visitor,
    ...cutovers.flatMap((each) => [each.journey, each.visit, each.link, each.forceCookie, each.handover]),
  ].flatMap((cookie) => cookie ?? []);
}

function cookieNames(draft: Draft): Finding[] {
  const names = ownCookies(draft).flatMap(({ at, cookie }) => {
    return cookie === undefined ? [] : [{ path: [...at, "cookie"], value: cookie }];
  });
  const taken = names.filter(({ value }) => pageCookieNames.includes(value));
  return [
    ...repeated(
      names,
      "expected a cookie of its own for each journey, visit, link and force, and for visitors",
    ),
    ...taken.map(({ path }) => wrong(path, "expected another name: the admin API's page has a cookie of it")),
  ];
}

/** What testers say is taken away before the shops: it can be nothing that these or this proxy read besides. */
function testersOwn({ cutovers }: Draft): Finding[] {
  const sources = cutovers.flatMap(({ shopper, owners }) => [
    ...shopper,
    ...owners.flatMap((owner) => owner.keys),
  ]);
  const isRead = (kind: "header" | "cookie", name: string | undefined) =>
    sources.some(({ value }) => value.kind === kind && value.name === name);
  return cutovers.flatMap(({ at, forceHeader, forceCookie: { cookie } = {} }) => [
    ...(isRead("header", forceHeader)
      ? [wrong([...at, "force", "header"], "expected a header of its own: this one names shoppers or keys")]
      : []),
    ...(isRead("cookie", cookie)
      ? [wrong([...at, "force", "cookie"], "expected a cookie of its own: this one names shoppers or keys")]
      : []),
  ]);
}

/**
 * What browsers ask of a cookie by its name's prefix, in any case, and of one that is for all sites (RFC 6265bis §4.1.3,
 * §5.7).
 */
function droppedCookies(draft: Draft): Finding[] {
  const { proxy, trusting } = draft;
  const mayBeSecure = trusting || (proxy !== undefined && proxy.tls !== undefined);
  return ownCookies(draft).flatMap(({ at, cookie = "", sameSite, secure, wide }) => {
    const findings: Finding[] = [];
    const always = at.at(-1) === "force" ? "" : "secure: always, ";
    const secureOnly = `expected ${always}TLS here or trustedProxies: browsers drop`;
    const isSecure = mayBeSecure || secure !== "auto";
    if (!isSecure && /^__(?:Host|Secure|Http)-/i.test(cookie)) {
      findings.push(wrong([...at, "cookie"], `${secureOnly} a cookie of this prefix that is not Secure`));
    }
    if (wide && /^__Host-/i.test(cookie)) {
      findings.push(
        wrong([...at, "cookie"], "expected no domain: browsers drop a __Host- cookie that has one"),
      );
    }
    if (!isSecure && sameSite === "none") {
      findings.push(wrong([...at, "sameSite"], `${secureOnly} SameSite=None without Secure`));
    }
    return findings;
  });
}
