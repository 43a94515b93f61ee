/** `cutover/handover`: verifies the field `x-cutover-handover` (docs/handover.md). */

/** The field's name, lower case. */
export declare const handoverField: "x-cutover-handover";

export interface Handover {
  readonly cutover: string;
  /** The side that served the shopper before. */
  readonly before: "legacy" | "new";
  readonly shopper: string;
  /** Seconds since the epoch. */
  readonly issuedAt: number;
  readonly nonce: string;
}

/** A request as the shop receives it: its own Host, and its path without the query. */
export interface HandoverRequest {
  readonly method: string;
  readonly host: string;
  readonly path: string;
}

export type HandoverFault =
  | "missing"
  | "malformed"
  | "signature"
  | "audience"
  | "request"
  | "expired"
  | "replayed";

export interface VerifyOptions extends HandoverRequest {
  /** Any of which may have signed it; of at least 32 characters. */
  readonly secrets: readonly string[];
  readonly audience: string;
  /** Milliseconds since the epoch; without it, now. */
  readonly nowMs?: number;
  /**
   * Whether the nonce was not there before, asked last. It need not be remembered for longer than so many seconds. Without
   * it whoever calls has to see to it.
   */
  readonly isNew?: (nonce: string, forSeconds: number) => boolean;
}

export type Verified =
  | { readonly valid: true; readonly handover: Handover }
  | { readonly valid: false; readonly fault: HandoverFault };

/** @param text the value of `x-cutover-handover`; `undefined` without the field */
export declare function verifyHandover(text: string | undefined, options: VerifyOptions): Verified;

/** What the proxy sends, for a shop's own tests. */
export declare function signHandover(
  secret: string,
  audience: string,
  handover: Handover,
  request: HandoverRequest,
): string;
