/**
 * A visit: who has begun to browse stays on the side for so long, so that open tabs and what they load later find what
 * they came from, though percent is raised meanwhile. PURE: secrets and time come in as arguments. As a cookie value it is
 *
 *   1.SIDE.VERSION.BEGAN.EXPIRY.SIGNATURE
 *
 * SIDE is `l` or `n`; VERSION, BEGAN and EXPIRY are base 36, the times in whole seconds since the epoch; the signature is
 * that of signature.ts. Like a journey's pin it is bound to no shopper: a login must not move who browses.
 *
 * A rollback ends every visit on new: one counts only under a VERSION behind the last rollback.
 */
import type { Side } from "../../state/rules/model.ts";
import { isSigned, signed } from "./signature.ts";

export interface ShopperVisit {
  readonly side: Side;
  /** The state's version that it was last decided by. */
  readonly version: number;
  /** Seconds since the epoch. */
  readonly beganAt: number;
  /** Seconds since the epoch. */
  readonly expiresAt: number;
}

/** How long a visit lasts, in seconds. */
export interface VisitLife {
  /** From its beginning, or from its last request where it may be renewed. */
  readonly for: number;
  /** From its beginning, however busy; equal to `for` where it is not renewed. */
  readonly max: number;
}

const form = /^1\.([ln])\.([0-9a-z]{1,11})\.([0-9a-z]{1,8})\.([0-9a-z]{1,8})\.[A-Za-z0-9_-]{43}$/;

export function signVisit(secret: string, cutover: string, visit: ShopperVisit): string {
  const numbers = [visit.version, visit.beganAt, visit.expiresAt].map((number) => number.toString(36));
  return signed(secret, "visit", cutover, `1.${visit.side === "new" ? "n" : "l"}.${numbers.join(".")}`);
}

/**
 * @param secrets any of which may have signed it
 * @returns `undefined` for what is none of this cutover's; one that is over is given as well
 */
export function readVisit(
  secrets: readonly string[],
  cutover: string,
  text: string,
): ShopperVisit | undefined {
  const [, side, ...numbers] = form.exec(text) ?? [];
  const [version, beganAt, expiresAt] = numbers.map((number) => Number.parseInt(number, 36));
  if (version === undefined || beganAt === undefined || expiresAt === undefined) return undefined;
  if (!isSigned(secrets, "visit", cutover, text)) return undefined;
  return { side: side === "n" ? "new" : "legacy", version, beganAt, expiresAt };
}

/**
 * Whether it still keeps its client on its side.
 *
 * @param leastVersion the version behind the last rollback that is known
 */
export function isUnderWay(visit: ShopperVisit, nowSeconds: number, leastVersion: number): boolean {
  return nowSeconds < visit.expiresAt && (visit.side === "legacy" || visit.version >= leastVersion);
}

export function beginVisit(life: VisitLife, side: Side, version: number, nowSeconds: number): ShopperVisit {
  return { side, version, beganAt: nowSeconds, expiresAt: nowSeconds + life.for };
}

/**
 * @returns the visit as its client is to have it after one more request; `undefined`: as it has it. Little is moved not
 * at all, so that few answers must give a cookie, which keeps them out of shared caches.
 */
export function renewVisit(
  life: VisitLife,
  visit: ShopperVisit,
  version: number,
  nowSeconds: number,
): ShopperVisit | undefined {
  const expiresAt = Math.min(nowSeconds + life.for, visit.beganAt + life.max);
  return expiresAt - visit.expiresAt < life.for / 4 ? undefined : { ...visit, version, expiresAt };
}
