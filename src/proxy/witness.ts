/**
 * Who wants to know about an exchange: its counts, the access log, what is under way. The witnesses of a route are a
 * list that is compiled once (routes.ts) and split by phase, so that a request pays only for those its route has, and
 * of these only for the phases they have.
 *
 *   arrived → (left) → noticed* → decided → (fellBack → decided) → finished?, answered, journeyed? → upgraded? → settled
 *
 * `arrived` and `settled` are told of every exchange, each exactly once; what lies between is left out where the exchange
 * does not come so far. An answer that is read to its end although its client has left comes late: `answeredLate`. A
 * journey whose pin is in the store ends after the exchange, when the store has answered.
 *
 * A witness is told in the middle of the request: it must not throw, and does nothing that takes long. The record goes
 * on changing, so what is to be kept of it is copied.
 */
import type { LoginLink } from "../decide/browsing/link.ts";
import type { ShopperVisit } from "../decide/browsing/visit.ts";
import type { Ahead, Cohort, Decision, Reason } from "../decide/decide.ts";
import type { NamedKeys } from "../decide/named.ts";
import type { JourneyPin, PinFault } from "../decide/pin.ts";
import type { JourneyEvent, KeyCarrier, OwnerKey, UnreadReason } from "../ownership/port.ts";
import { type CutoverState, type Side, sides } from "../state/rules/model.ts";
import type { Outcome } from "./outcome.ts";
import type { TunnelEnd } from "./relay/tunnel.ts";

/** `none`: no side was chosen, because no cutover matched or the exchange ended before it was decided. */
export const servedSides = [...sides, "none"] as const;
export type ServedSide = (typeof servedSides)[number];

/** Who a request says it is from. */
export interface NamedShopper {
  /** A byte string. */
  readonly name: string;
  /** Whether nobody but the shopper can have named it: what others can say neither ends nor moves a journey. */
  readonly isVouched: boolean;
  /** Whether its client sends no cookies at all, and so keeps none either. */
  readonly keepsNone: boolean;
  /** Whether it is the proxy's own name for somebody without one. */
  readonly isVisitor: boolean;
}

/** By whose bucket a request is decided, where links lead through a login. */
export interface Linked {
  /** 0–99999. */
  readonly bucket: number;
  /** Until when that counts; seconds since the epoch. */
  readonly expiresAt: number;
  /** The visit that goes on. */
  readonly visit: ShopperVisit | undefined;
  /** Whether that began on another device of the account's. */
  readonly isAdopted: boolean;
  /** The account that goes by it now on all devices, a byte string; absent for visitors, and whom anybody may name. */
  readonly account: string | undefined;
  /** What the client is to have in its cookie from now on; absent: what it has. */
  readonly next: LoginLink | undefined;
}

/** What a request of a cutover was decided by. */
export interface Decided {
  readonly decision: Decision;
  readonly state: CutoverState;
  /** The shopper's, 0–99999; absent without a shopper. */
  readonly bucket: number | undefined;
  /** The cohort that it is of. */
  readonly cohort?: Cohort | undefined;
  /** The cutover that its own goes after, as it stood then. */
  readonly after?: Ahead | undefined;
  /** The valid pin of its journey, whether or not it decided. */
  readonly pin: JourneyPin | undefined;
  /** Those it carries: each has an owner or may have, so that a request with one never changes sides again. */
  readonly keys: readonly OwnerKey[];
  /** All that may be a key in it, where its answer tells of orders made. */
  readonly named: NamedKeys;
  /** Whether that pin came with the request, in its cookie. */
  readonly carried: boolean;
  /** The shopper, where journeys are kept or shoppers handed over. */
  readonly shopper: NamedShopper | undefined;
  /** What names its shopper, a byte string: for what its upstream is told. */
  readonly identity?: string | undefined;
  /** Whether it comes with a journey that goes on no more, because a hard rollback has taken it away. */
  readonly isVoid?: boolean;
  /** What its visitor was named on this request, who had no name before. */
  readonly visitor?: string | undefined;
  /** By whose bucket it was decided, where a login is gone through. */
  readonly linked?: Linked | undefined;
  /** The visit under way that its cookie tells of, whether or not it decided. */
  readonly visit?: ShopperVisit | undefined;
  /** Whether its client may keep a cookie that begins a visit. */
  readonly mayVisit?: boolean;
  /** The id of the journey that this request has begun in the store. */
  readonly begun: string | undefined;
  /** Where its claims are tentative: says whether it was sent, or may have been. */
  readonly settleClaims?: ((sent: boolean) => void) | undefined;
}

/** What an answer does. */
export interface Meaning {
  /** It begins a journey, unless it ends one. */
  readonly starts: boolean;
  readonly ends: boolean;
  readonly finishes: boolean;
  /** Those that it teaches, known before or not. */
  readonly keys: readonly OwnerKey[];
}

/** What is known of an exchange so far. Times are milliseconds of the monotonic clock. */
export interface ExchangeRecord extends KeyCarrier {
  readonly requestId: string;
  /** Of its trace (W3C Trace Context), as its upstream is told. */
  readonly traceparent: string;
  /** The traceparent that it came with, sound or not. */
  readonly parent: string | undefined;
  readonly method: string;
  /** Cutover and route are `none` where no cutover matched. */
  readonly cutover: string;
  readonly route: string;
  readonly arrivedAt: number;
  /** When the attempt under way began: on arrival, or on falling back. */
  readonly attemptAt: number;
  /**
   * How long it was the proxy's own: from its arrival, the end of a body that is read first, or falling back, until it was
   * decided; and while an order that its answer tells of was recorded. In ms.
   */
  readonly ownMs: number;
  readonly side: ServedSide;
  /** Absent before it is decided, and where no cutover matched. */
  readonly reason: Reason | undefined;
  readonly decided: Decided | undefined;
  /** The side whose answer this is, where the one decided for had none and the other was asked; that counts for no side. */
  readonly orElse: Side | undefined;
  /** The status of the answer to the client; absent before there is one. */
  readonly status: number | undefined;
  /** Absent until it is settled. */
  readonly outcome: Outcome | undefined;
  /** Whether it is known that nothing of it was sent. */
  readonly unsent: boolean;
  /** What its answer does, where more than the status was looked at. */
  readonly meaning: Meaning | undefined;
  /** What the proxy's refusal or the side's failure is called (refusal.ts); absent where it was neither. */
  readonly code: string | undefined;
  /** When it was settled; of one that fell back, until then, when its first attempt was over. */
  readonly endedAt: number;
  /**
   * Since when it waits for its side's answer, with nothing of the request missing; `undefined` while its client is
   * awaited, before it is decided, and once an answer has begun.
   */
  waitingSince(): number | undefined;
  /** Its place among those that wait for their side (telemetry/traffic/flights.ts); -1: it has none. */
  waitsAt: number;
  /** Whether the guard waits for its answer (guard/window/slow.ts). */
  isAwaited: boolean;
}

/** What is odd about a request or its answer, which goes on all the same. */
export type Notice =
  /** A journey cookie counts as none. */
  | { readonly kind: "ignored_pin"; readonly fault: PinFault }
  /** A journey was begun with a cookie and its shopper shows none. @see journey.ts */
  | { readonly kind: "missing_cookie"; readonly keepsNone: boolean }
  /** A body that a key may be in could not be read for it. */
  | { readonly kind: "unread_body" }
  /** A key is too long to count. */
  | { readonly kind: "long_key" }
  | UnreadAnswer
  /** It tells of an order that new has made, and not what that is worth. */
  | { readonly kind: "unread_amount" }
  /** Its body, or the document in it, was to tell its route and could not be read: it goes by the path's other routes. */
  | { readonly kind: "unread_choice"; readonly cutover: string }
  /** A document is named by a hash that is not known: its client is asked for the text. */
  | { readonly kind: "unknown_document"; readonly cutover: string }
  /** Its path is on no route, and some server behind the proxy may take it for one of this cutover's. */
  | { readonly kind: "near_path"; readonly cutover: string };

/** An answer that may tell of orders, or that a rule asks, could not be read for it. */
export interface UnreadAnswer {
  readonly kind: "unread_answer";
  readonly why: UnreadReason;
}

export interface Witness {
  /** Its head is read and its route is known, or it is refused for its head. */
  arrived?(record: ExchangeRecord): void;
  /** Its body has told that it is on another route, whose witnesses have been told of its arrival. */
  left?(record: ExchangeRecord): void;
  noticed?(record: ExchangeRecord, notice: Notice): void;
  /** Its side is known, and the request goes there now; told again of a request that falls back. */
  decided?(record: ExchangeRecord): void;
  /** It is about to be sent. @returns resolves when it may be, in a bounded time; never rejects; `undefined`: at once */
  sending?(record: ExchangeRecord): Promise<void> | undefined;
  /** The attempt on the side failed before a byte was sent, and another follows on legacy. */
  fellBack?(record: ExchangeRecord, outcome: Outcome, code: string): void;
  /** The side answered 404, and the other was asked. @param isFound whether it had what was asked for */
  soughtElsewhere?(record: ExchangeRecord, side: Side, isFound: boolean): void;
  /** The journey begins, goes on or ends with this answer. @param pin as it is from now on */
  journeyed?(record: ExchangeRecord, pin: JourneyPin, event: JourneyEvent): void;
  /** The answer finishes the orders among these keys, and ends the carts, be its client still there or not. */
  finished?(record: ExchangeRecord, keys: readonly OwnerKey[]): void;
  /** The status of the side's answer is known. */
  answered?(record: ExchangeRecord): void;
  /** The side has answered after all, when its client had left and it was settled. */
  answeredLate?(record: ExchangeRecord, status: number): void;
  /** The connection's protocol was changed, which ends the exchange. @returns hears of the end of the connection */
  upgraded?(record: ExchangeRecord): (end: TunnelEnd) => void;
  /** It is over. */
  settled?(record: ExchangeRecord, outcome: Outcome): void;
}

/** A witness that has the phase. */
type Attending<Phase extends keyof Witness> = Witness & Required<Pick<Witness, Phase>>;

/** The witnesses of a route by phase, each in the order of the list. */
export type Witnesses = { readonly [Phase in keyof Witness]-?: readonly Attending<Phase>[] };

export function compileWitnesses(list: readonly Witness[]): Witnesses {
  return {
    arrived: attending(list, "arrived"),
    left: attending(list, "left"),
    noticed: attending(list, "noticed"),
    decided: attending(list, "decided"),
    sending: attending(list, "sending"),
    fellBack: attending(list, "fellBack"),
    soughtElsewhere: attending(list, "soughtElsewhere"),
    journeyed: attending(list, "journeyed"),
    finished: attending(list, "finished"),
    answered: attending(list, "answered"),
    answeredLate: attending(list, "answeredLate"),
    upgraded: attending(list, "upgraded"),
    settled: attending(list, "settled"),
  };
}

function attending<Phase extends keyof Witness>(
  list: readonly Witness[],
  phase: Phase,
): readonly Attending<Phase>[] {
  return list.filter((witness): witness is Attending<Phase> => witness[phase] !== undefined);
}
