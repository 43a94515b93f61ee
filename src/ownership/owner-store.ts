/** The port to where owners are kept; behind it memory, a file beside the embedded store, or Redis. */
import type { Side } from "../state/model.ts";

export interface OwnerStore {
  /**
   * @returns the owners, at the places of the keys; `undefined` where a key has none
   * @throws StoreUnavailable when the store does not answer in time
   */
  lookup(cutover: string, keys: readonly string[]): Promise<readonly (Side | undefined)[]>;
  /**
   * Makes the side the key's owner unless it has one; atomic across instances.
   *
   * @param ttlMs how long the record is kept
   * @returns the owner there is now
   * @throws StoreUnavailable when the store does not answer in time: the claim may have landed
   */
  claim(cutover: string, key: string, side: Side, ttlMs: number): Promise<Side>;
  close(): Promise<void>;
}
