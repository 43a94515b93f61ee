/** What is configured of the proxy's own cookies, as an exchange needs it. */
import type { Config, CutoverConfig, VisitorConfig } from "../../../config/schema.ts";
import { type LoginLink, readLink } from "../../../decide/browsing/link.ts";
import { readVisit, type ShopperVisit, type VisitLife } from "../../../decide/browsing/visit.ts";
import type { OwnCookie } from "../../../decide/cookie.ts";
import type { PinLife } from "../../../decide/pin.ts";
import { type CompiledHandover, compileHandover } from "../../handover/compiled.ts";
import { createPinReader, type PinReader } from "../../secrets.ts";
import { type CompiledCookie, compileCookie } from "./compiled-cookie.ts";

export interface CompiledVisitor {
  readonly cookie: CompiledCookie;
  /** Seconds. */
  readonly ttl: number;
  /** Whether any request of a browser makes one, not only those that open a page. */
  readonly onAny: boolean;
}

export function compileVisitor(config: VisitorConfig): CompiledVisitor {
  return {
    cookie: compileCookie(config),
    ttl: wholeSeconds(config.ttl),
    onAny: config.on === "any",
  };
}

/** The cookies that a cutover may give. */
export interface CompiledCookies {
  readonly journey: CompiledJourney | undefined;
  readonly visit: CompiledVisit | undefined;
  readonly link: CompiledLink | undefined;
  readonly handover: CompiledHandover | undefined;
  /** All of these. */
  readonly ownCookies: readonly OwnCookie[];
}

/** @param secrets what they are signed with, asked at each use */
export function compileCookies(
  declared: CutoverConfig,
  name: string,
  secrets: () => readonly string[],
  config: Pick<Config, "upstreams">,
): CompiledCookies {
  const made = {
    journey: compileJourney(declared, name, secrets, config),
    visit: compileVisit(declared, name, secrets),
    link: compileLink(declared, name, secrets),
    handover: compileHandover(declared, name),
  };
  return { ...made, ownCookies: Object.values(made).flatMap((cookie) => cookie ?? []) };
}

interface CompiledVisit extends OwnCookie {
  readonly cookie: CompiledCookie;
  /** What visits may be signed with; the first signs. */
  readonly secrets: () => readonly string[];
  readonly life: VisitLife;
  /** @returns the visit, whether or not it is over; `undefined` for what was not signed for this cutover */
  read(text: string): ShopperVisit | undefined;
}

function compileVisit(
  { visit }: CutoverConfig,
  name: string,
  secrets: () => readonly string[],
): CompiledVisit | undefined {
  if (visit === undefined) return undefined;
  const cookie = compileCookie(visit);
  const read = rememberingLast(secrets, (by, text) => readVisit(by, name, text));
  const isOwn = (text: string) => read(text) !== undefined;
  const forSeconds = wholeSeconds(visit.for);
  const max = Math.max(forSeconds, wholeSeconds(visit.max ?? 0));
  return { name: cookie.name, isOwn, cookie, secrets, read, life: { for: forSeconds, max } };
}

export interface CompiledLink extends OwnCookie {
  readonly cookie: CompiledCookie;
  /** What links may be signed with; the first signs. */
  readonly secrets: () => readonly string[];
  /** Seconds that a visitor's bucket goes on, or an account stays by its own on all its devices. */
  readonly for: number;
  /** @returns the link, whether or not it is over; `undefined` for what was not signed for this cutover */
  read(text: string): LoginLink | undefined;
}

function compileLink(
  { identity: { link } }: CutoverConfig,
  name: string,
  secrets: () => readonly string[],
): CompiledLink | undefined {
  if (link === undefined) return undefined;
  const cookie = compileCookie(link);
  const read = rememberingLast(secrets, (by, text) => readLink(by, name, text));
  const isOwn = (text: string) => read(text) !== undefined;
  return { name: cookie.name, isOwn, cookie, secrets, read, for: wholeSeconds(link.for) };
}

/** A request's cookie is read, and then taken out of what goes on: its signature is verified once. */
function rememberingLast<Value>(
  secrets: () => readonly string[],
  read: (by: readonly string[], text: string) => Value,
): (text: string) => Value {
  let last: { readonly text: string; readonly by: readonly string[]; readonly value: Value } | undefined;
  return (text) => {
    const by = secrets();
    if (last?.text !== text || last.by !== by) last = { text, by, value: read(by, text) };
    return last.value;
  };
}

const wholeSeconds = (milliseconds: number) => Math.max(1, Math.floor(milliseconds / 1000));

export interface CompiledJourney extends OwnCookie {
  readonly cookie: CompiledCookie;
  /** What pins may be signed with; the first signs. */
  readonly secrets: () => readonly string[];
  readonly pins: PinReader;
  readonly life: PinLife;
}

/** Seconds a finished journey keeps its side, for confirmation pages. */
const graceSeconds = 60;
/** By how much a start that is given up comes to its end later than its time is over. */
const reserveSlackSeconds = 10;

function compileJourney(
  declared: CutoverConfig,
  name: string,
  secrets: () => readonly string[],
  config: Pick<Config, "upstreams">,
): CompiledJourney | undefined {
  const { journey } = declared;
  if (journey === undefined) return undefined;
  const longestMs = longestOf(declared, config);
  const { ttl, maxTtl } = journey;
  const cookie = compileCookie(journey);
  const pins = createPinReader(secrets, name);
  return {
    name: cookie.name,
    isOwn: pins.isOwn,
    cookie,
    secrets,
    pins,
    life: {
      ttl: wholeSeconds(ttl),
      maxTtl: wholeSeconds(maxTtl),
      grace: graceSeconds,
      reserve: Math.min(wholeSeconds(ttl), Math.ceil(longestMs / 1000) + reserveSlackSeconds),
    },
  };
}

/** @returns milliseconds after which every request of the cutover is given up, on either side */
function longestOf(declared: CutoverConfig, { upstreams }: Pick<Config, "upstreams">): number {
  const sides = [declared.legacy, declared.new].map((side) => upstreams[side]?.timeouts.total ?? 0);
  return Math.max(...sides, ...declared.routes.map(({ timeouts }) => timeouts?.total ?? 0));
}
