import { createHash } from "node:crypto";

/** What stands for a shopper in the name of a pin: the first 16 bytes of the SHA-256 of its bytes, in hex. */
export function pinDigest(shopper: string): string {
  return createHash("sha256").update(shopper, "latin1").digest("hex").slice(0, 32);
}
