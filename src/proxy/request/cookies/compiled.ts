/** What is configured of the proxy's own cookies, as an exchange needs it. */
import type { Config, CookieConfig, CutoverConfig, VisitorConfig } from "../../../config/schema.ts";
import type { PinLife } from "../../../decide/pin.ts";
import { createPinReader, type PinReader } from "../../secrets.ts";

export interface CompiledCookie {
  readonly name: string;
  /** Whether the browser shall send it along with requests that come from other sites. */
  readonly crossSite: boolean;
  /** Whether it is Secure however the request came. */
  readonly secure: boolean;
  /** Attributes that never change, with a leading `; `. */
  readonly attributes: string;
}

function compileCookie({ cookie, sameSite, domain, secure }: CookieConfig): CompiledCookie {
  return {
    name: cookie,
    crossSite: sameSite === "none",
    secure: secure === "always",
    attributes: domain === undefined ? "; Path=/" : `; Domain=${domain}; Path=/`,
  };
}

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
    ttl: Math.max(1, Math.floor(config.ttl / 1000)),
    onAny: config.on === "any",
  };
}

export interface CompiledJourney {
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

/** @param secrets asked at each use */
export function compileJourney(
  declared: CutoverConfig,
  name: string,
  secrets: () => readonly string[],
  config: Pick<Config, "upstreams">,
): CompiledJourney | undefined {
  const { journey } = declared;
  if (journey === undefined) return undefined;
  const longestMs = longestOf(declared, config);
  const seconds = (milliseconds: number) => Math.max(1, Math.floor(milliseconds / 1000));
  const { ttl, maxTtl } = journey;
  return {
    cookie: compileCookie(journey),
    secrets,
    pins: createPinReader(secrets, name),
    life: {
      ttl: seconds(ttl),
      maxTtl: seconds(maxTtl),
      grace: graceSeconds,
      reserve: Math.min(seconds(ttl), Math.ceil(longestMs / 1000) + reserveSlackSeconds),
    },
  };
}

/** @returns milliseconds after which every request of the cutover is given up, on either side */
function longestOf(declared: CutoverConfig, { upstreams }: Pick<Config, "upstreams">): number {
  const sides = [declared.legacy, declared.new].map((side) => upstreams[side]?.timeouts.total ?? 0);
  return Math.max(...sides, ...declared.routes.map(({ timeouts }) => timeouts?.total ?? 0));
}
