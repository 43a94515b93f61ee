/**
 * The port to what stands under a key, for a person who looks at it and puts it right. The requests of shoppers never come
 * here.
 */
import * as z from "zod";
import { type Side, sides } from "../../state/rules/model.ts";

/** A record as the store has it. */
export interface OwnerRecord {
  readonly side: Side;
  /** When it ends, in ms since the epoch; `undefined`: never, or the store does not tell. */
  readonly until: number | undefined;
  /** A claim whose request has not been settled: it is under way, or its instance is gone. */
  readonly isTentative: boolean;
}

export interface KeyRecords {
  /** Made by the answer of a side, or by a person. */
  readonly fact: OwnerRecord | undefined;
  /** Made by the first request with the key. */
  readonly claim: OwnerRecord | undefined;
}

/** A change of an owner that waits for a second person; `side` null: it is released. */
export const waitingChange = z.object({
  side: z.enum(sides).nullable(),
  by: z.string(),
  reason: z.string(),
  at: z.string(),
  expiresAt: z.string(),
});
type WaitingChange = z.output<typeof waitingChange>;

/** What one instance knows of a key, its processes taken together. */
export const knownOfKey = z.object({
  /** Remembered, and gone by without asking the store. */
  fact: z.enum(sides).nullable(),
  claim: z.enum(sides).nullable(),
  /** Requests with it under way. */
  inFlight: z.number(),
  /** A request with it was sent and not answered lately, or its owner waits to be recorded, or some process is silent. */
  inDoubt: z.boolean(),
});
export type KnownOfKey = z.output<typeof knownOfKey>;

export interface KeyQuestion {
  readonly cutover: string;
  /** A byte string. */
  readonly key: string;
  /** Whether what is remembered of the key is to be forgotten, so that the store is asked anew. */
  readonly forget: boolean;
}

/** Every method throws StoreUnavailable when the store does not answer in time. */
export interface OwnersByHand {
  inspect(cutover: string, key: string): Promise<KeyRecords>;
  /**
   * Gives the key to the side, whoever owns it: its claim, where that is all there is, else as a fact; or to nobody.
   *
   * @param ttlMs of a record that was not there before
   */
  put(cutover: string, key: string, side: Side | undefined, ttlMs: number): Promise<void>;
  waiting(cutover: string, key: string): Promise<WaitingChange | undefined>;
  /** @param change `undefined`: none waits any more */
  wait(cutover: string, key: string, change: WaitingChange | undefined, ttlMs: number): Promise<void>;
  /** Asks the other instances, where there can be any. @returns what those have said that answered in time; never rejects */
  ask?(question: KeyQuestion, instances: readonly string[]): Promise<ReadonlyMap<string, KnownOfKey>>;
  /** Answers what others ask. @returns the way out */
  answer?(instance: string, answer: (question: KeyQuestion) => Promise<KnownOfKey>): () => void;
}
