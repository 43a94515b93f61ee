/**
 * Through a login. A visitor's client has his bucket in a signed cookie; with the first request that names an account, that
 * account goes by it, on all its devices: what the first of them brought is kept in the store, and outranks what others
 * bring. An account that browses without any is kept by its own bucket just so, so that a login elsewhere does not move it.
 *
 *   a visitor                          by his own bucket; with a cookie from before a logout by that
 *   an account with a cookie of its    by the cookie; the store is not asked
 *   an account otherwise               by what the store has of it, else by the cookie, else by its own bucket
 *
 * Cutovers of one group have one link, and so have those that go one after another: in each of them a shopper goes by the
 * bucket that he has in the others, wherever he was first.
 *
 * In the store it stands where pins of journeys do, under a name of its own: the id says the bucket, side and start tell
 * of the account's last visit, which another device goes on with.
 */
import { accountOf, type LoginLink, signLink } from "../../../decide/browsing/link.ts";
import { isUnderWay, type ShopperVisit } from "../../../decide/browsing/visit.ts";
import { cookieValues } from "../../../decide/cookie.ts";
import type { JourneyPin } from "../../../decide/pin.ts";
import type { RequestView } from "../../../decide/sources.ts";
import type { Side } from "../../../state/rules/model.ts";
import type { ExchangeContext } from "../../context.ts";
import type { CompiledCutover, Table } from "../../routes.ts";
import type { Recorded } from "../../settle.ts";
import type { Decided, Linked, Meaning, NamedShopper } from "../../witness.ts";
import type { CompiledLink } from "./compiled.ts";
import { secondsNow, setCookie } from "./own-cookie.ts";

/** What a request says of its login. */
export interface LinkAsked {
  readonly compiled: CompiledLink;
  /** What signs. */
  readonly secret: string;
  readonly shopper: NamedShopper;
  /** The shopper's own, 0–99999. */
  readonly bucket: number;
  /** That of its cookie, which is not over. */
  readonly link: LoginLink | undefined;
  /** Whether its client may keep the cookie that it is given. */
  readonly mayKeep: boolean;
}

/** @param who its shopper, named and with a bucket or not, and whether its client may keep a cookie */
export function linkAsked(
  exchange: Recorded,
  compiled: CompiledLink,
  view: RequestView,
  {
    shopper,
    bucket,
    mayKeep,
  }: Pick<LinkAsked, "mayKeep"> & {
    readonly shopper: NamedShopper | undefined;
    readonly bucket: number | undefined;
  },
): LinkAsked | undefined {
  if (shopper === undefined || bucket === undefined) return undefined;
  const [secret] = compiled.secrets();
  if (secret === undefined) return undefined;
  return { compiled, secret, shopper, bucket, link: linkIn(exchange, compiled, view), mayKeep };
}

/** @returns the first link among the request's cookies of the name that is not over: others may have set namesakes */
function linkIn(
  exchange: Recorded,
  { cookie, read }: CompiledLink,
  view: RequestView,
): LoginLink | undefined {
  for (const text of cookieValues(view.fields, view.fieldNames, cookie.name)) {
    const link = read(text);
    if (link !== undefined && secondsNow(exchange) < link.expiresAt) return link;
  }
  return undefined;
}

/**
 * @param visit that of its cookie
 * @param sideOf where a bucket goes now
 * @returns at once where the store need not be asked; never rejects
 */
export function bucketThrough(
  context: ExchangeContext,
  cutover: CompiledCutover,
  asked: LinkAsked,
  visit: ShopperVisit | undefined,
  sideOf: (bucket: number) => Side,
): Linked | Promise<Linked> {
  const { compiled, secret, shopper, link, mayKeep } = asked;
  const now = secondsNow({ context });
  if (shopper.isVisitor) return ofVisitor(asked, visit, now);
  const account = accountOf(secret, cutover.name, shopper.name);
  // Who names somebody whom anybody may name settles nothing for him.
  const settled = mayKeep && shopper.isVouched ? shopper.name : undefined;
  if (link?.account === account) {
    const { bucket, expiresAt } = link;
    return { bucket, expiresAt, visit, isAdopted: false, account: settled, next: undefined };
  }
  const brought = link?.bucket ?? asked.bucket;
  // Also where nothing was brought: a start on the side of what the store has gives that its own times, shorter ones too.
  const expiresAt = now + compiled.for;
  const side = sideOf(brought);
  const linkedBy = (pin: JourneyPin | undefined): Linked => {
    const bucket = bucketIn(pin) ?? brought;
    const known = pin !== undefined && pin.side !== side ? visitOf(context, cutover, pin) : undefined;
    const next = settled === undefined ? undefined : { bucket, expiresAt, account };
    const own = bucket === brought ? visit : undefined;
    return { bucket, expiresAt, visit: known ?? own, isAdopted: known !== undefined, account: settled, next };
  };
  const stored = storedAs(shopper.name);
  if (settled === undefined) {
    const sought = { keepsNone: false, differs: () => true };
    const found = context.pins.find(cutover.name, stored, compiled.for, sought);
    return found !== undefined && "then" in found ? found.then(linkedBy) : linkedBy(found);
  }
  const beganAt = visit === undefined ? now : visit.expiresAt - (cutover.visit?.life.for ?? 0);
  const offer = { id: idOf(brought), side, epoch: 0, startedAt: beganAt, expiresAt };
  return context.pins.start(cutover.name, stored, offer, expiresAt - now).then(linkedBy);
}

/** The cutover whose links count for its shoppers. */
export function linkingOf({ cutovers }: Pick<Table, "cutovers">, cutover: CompiledCutover): CompiledCutover {
  const { name, linking } = cutover;
  return linking === name ? cutover : (cutovers.get(linking) ?? cutover);
}

/** Whether a cutover has the links of another that it does not go after. */
export function isBeside({ name, leaders }: CompiledCutover, linking: CompiledCutover): boolean {
  return linking.link !== undefined && linking.name !== name && !leaders.includes(linking.name);
}

/** By whose bucket a request goes in a cutover that has the links of another, and its visit in that. */
interface LinkedBeside {
  readonly linked: Linked;
  readonly visitThere: ShopperVisit | undefined;
}

/**
 * As `bucketThrough`, in a cutover that has the links of another: what is linked here counts there, too, but is no visit to
 * it.
 *
 * @param there the cutover whose links count, the visit there by its cookie, and where a bucket goes there now
 * @param visit that of its own cookie
 */
export function bucketBeside(
  context: ExchangeContext,
  there: {
    readonly cutover: CompiledCutover;
    readonly visit: ShopperVisit | undefined;
    readonly sideOf: (bucket: number) => Side;
  },
  asked: LinkAsked,
  visit: ShopperVisit | undefined,
): LinkedBeside | Promise<LinkedBeside> {
  const { compiled, secret, shopper, link, mayKeep } = asked;
  const { cutover, sideOf } = there;
  const now = secondsNow({ context });
  if (shopper.isVisitor) return { linked: ofVisitor(asked, visit, now), visitThere: there.visit };
  const account = accountOf(secret, cutover.name, shopper.name);
  const settled = mayKeep && shopper.isVouched ? shopper.name : undefined;
  const isOwn = link?.account === account;
  const brought = link?.bucket ?? asked.bucket;
  const expiresAt = isOwn ? link.expiresAt : now + compiled.for;
  const linkedBy = (pin: JourneyPin | undefined): LinkedBeside => {
    const bucket = bucketIn(pin) ?? brought;
    const known =
      pin !== undefined && pin.side !== sideOf(brought) ? visitOf(context, cutover, pin) : undefined;
    const [own, ownThere] = bucket === brought ? [visit, there.visit] : [];
    const next = isOwn || settled === undefined ? undefined : { bucket, expiresAt, account };
    const linked = { bucket, expiresAt, visit: own, isAdopted: false, account: settled, next };
    return { linked, visitThere: known ?? ownThere };
  };
  if (isOwn) return linkedBy(undefined);
  const stored = storedAs(shopper.name);
  const settle = (pin: JourneyPin | undefined): LinkedBeside | Promise<LinkedBeside> => {
    if (settled === undefined) return linkedBy(pin);
    if (pin !== undefined) {
      void context.pins.keep(cutover.name, stored, { ...pin, expiresAt }, compiled.for);
      return linkedBy(pin);
    }
    const side = sideOf(brought);
    const startedAt = beganThere(cutover, there.visit, now, compiled.for);
    const offer = { id: idOf(brought), side, epoch: 0, startedAt, expiresAt };
    return context.pins.start(cutover.name, stored, offer, compiled.for).then(linkedBy);
  };
  const found = context.pins.find(cutover.name, stored, compiled.for, {
    keepsNone: false,
    differs: () => true,
  });
  return found !== undefined && "then" in found ? found.then(settle) : settle(found);
}

/** When the visit has begun that the store is to tell of; where there is none one that is over, if a link outlives visits. */
function beganThere(
  { visit: compiled }: CompiledCutover,
  visit: ShopperVisit | undefined,
  now: number,
  linkedFor: number,
): number {
  const visitFor = compiled?.life.for ?? 0;
  if (visit !== undefined) return visit.expiresAt - visitFor;
  return visitFor < linkedFor ? now - visitFor : now;
}

function ofVisitor(
  { compiled, bucket: own, link, mayKeep }: LinkAsked,
  visit: ShopperVisit | undefined,
  now: number,
): Linked {
  // From before a logout.
  const bucket = link?.account === undefined ? own : link.bucket;
  const isFresh = link?.bucket === bucket && link.expiresAt - now > (compiled.for * 3) / 4;
  const isGiven = mayKeep && link?.account === undefined && !isFresh;
  const expiresAt = now + compiled.for;
  const next = isGiven ? { bucket, expiresAt, account: undefined } : undefined;
  return { bucket, expiresAt, visit, isAdopted: false, account: undefined, next };
}

/** @returns the account's visit of which the store tells, as long as it is under way */
function visitOf(
  context: Pick<ExchangeContext, "clock" | "rollbacks">,
  { name, visit: compiled }: CompiledCutover,
  { side, startedAt }: JourneyPin,
): ShopperVisit | undefined {
  if (compiled === undefined) return undefined;
  const { rollbacks } = context;
  const isBehind = startedAt * 1000 > rollbacks.lastAtMs(name);
  const version = isBehind ? rollbacks.leastVersion(name) : -1;
  const visit = { side, version, beganAt: startedAt, expiresAt: startedAt + compiled.life.for };
  return isUnderWay(visit, secondsNow({ context }), rollbacks.leastVersion(name)) ? visit : undefined;
}

/** A visit of an account has begun or was renewed: its other devices go on with it. */
export function tellVisit(exchange: Recorded, cutover: string, linked: Linked, side: Side): void {
  const { account, bucket, expiresAt } = linked;
  if (account === undefined) return;
  const now = secondsNow(exchange);
  const pin = { id: idOf(bucket), side, epoch: 0, startedAt: now, expiresAt };
  void exchange.context.pins.keep(cutover, storedAs(account), pin, Math.max(1, expiresAt - now));
}

/**
 * The client is given its link; or is rid of it once the journey of its account has ended, and the account with it.
 *
 * @param meaning what the answer does
 * @returns fields to add to the answer, flat
 */
export function linkFields(
  exchange: Recorded,
  { name, link: compiled }: CompiledCutover,
  { linked }: Decided,
  { ends }: Meaning,
): string[] {
  if (compiled === undefined || linked === undefined || (exchange.status ?? 500) >= 500) return [];
  const { bucket, account, next } = linked;
  const now = secondsNow(exchange);
  if (ends && account !== undefined) {
    const over = { id: idOf(bucket), side: "legacy", epoch: 0, startedAt: 0, expiresAt: now } as const;
    void exchange.context.pins.keep(name, storedAs(account), over, 1);
    return setCookie(exchange, compiled.cookie, "", 0);
  }
  const [secret] = compiled.secrets();
  if (next === undefined || secret === undefined) return [];
  return setCookie(exchange, compiled.cookie, signLink(secret, name, next), next.expiresAt - now);
}

/** By what an account goes that is asked about. @param shopper a byte string @returns `undefined`: its own bucket */
export async function accountLink(
  context: Pick<ExchangeContext, "clock" | "rollbacks"> & {
    readonly pins: Pick<ExchangeContext["pins"], "find">;
  },
  cutover: CompiledCutover,
  shopper: string,
): Promise<{ readonly bucket: number; readonly visit: Side | undefined } | undefined> {
  if (cutover.link === undefined) return undefined;
  const sought = { keepsNone: false, differs: () => true };
  const pin = await context.pins.find(cutover.name, storedAs(shopper), cutover.link.for, sought);
  const bucket = bucketIn(pin);
  if (pin === undefined || bucket === undefined) return undefined;
  return { bucket, visit: visitOf(context, cutover, pin)?.side };
}

/** A name that no shopper has: fields hold no zero bytes. */
function storedAs(shopper: string): string {
  return `link\0${shopper}`;
}

/** As long as a journey's id. */
function idOf(bucket: number): string {
  return `bucket-${String(bucket).padStart(5, "0")}`;
}

function bucketIn(pin: JourneyPin | undefined): number | undefined {
  const [, bucket] = /^bucket-(\d{5})$/.exec(pin?.id ?? "") ?? [];
  return bucket === undefined ? undefined : Number(bucket);
}
