/** What is configured of a cutover's hand-over, as an exchange needs it. */
import { createHmac } from "node:crypto";
import type { CutoverConfig } from "../../config/schema.ts";
import type { OwnCookie } from "../../decide/cookie.ts";
import type { Side } from "../../state/rules/model.ts";
import { type CompiledCookie, compileCookie } from "../request/cookies/compiled-cookie.ts";

export interface CompiledHandover extends OwnCookie {
  readonly cookie: CompiledCookie;
  /** Seconds that a client is to keep it. */
  readonly ttl: number;
  /** What the cookie says where the side served its shopper last. */
  readonly values: Readonly<Record<Side, string>>;
  /** @returns the side that a cookie of the name tells of; `undefined`: it is another's, or made up */
  sideOf(value: string): Side | undefined;
  /** What hand-overs are signed with. */
  readonly secret: string;
  /** Whom one to each side is for. */
  readonly audiences: Readonly<Record<Side, string>>;
}

/** It says no more than a side: all of them are one of these, so that none has to be computed for a request. */
export function compileHandover(
  { handover, legacy, new: fresh }: CutoverConfig,
  cutover: string,
): CompiledHandover | undefined {
  if (handover === undefined) return undefined;
  const [secret = ""] = handover.secret;
  const signed = handover.secret.map((each) => ({
    legacy: sideText(each, cutover, "legacy"),
    new: sideText(each, cutover, "new"),
  }));
  const sides = new Map<string, Side>(
    signed.flatMap((texts): [string, Side][] => [
      [texts.legacy, "legacy"],
      [texts.new, "new"],
    ]),
  );
  const { legacy: ofLegacy = "", new: ofNew = "" } = signed[0] ?? {};
  return {
    name: handover.cookie,
    isOwn: (value) => sides.has(value),
    cookie: compileCookie(handover),
    ttl: Math.max(1, Math.floor(handover.ttl / 1000)),
    values: { legacy: ofLegacy, new: ofNew },
    sideOf: (value) => sides.get(value),
    secret,
    audiences: { legacy: handover.audience ?? legacy, new: handover.audience ?? fresh },
  };
}

/** `1.l.` or `1.n.`, and 22 characters that nobody without the secret knows. */
function sideText(secret: string, cutover: string, side: Side): string {
  const payload = `1.${side === "new" ? "n" : "l"}`;
  const digest = createHmac("sha256", secret).update(`side\0${cutover}\0${payload}`).digest("base64url");
  return `${payload}.${digest.slice(0, 22)}`;
}
