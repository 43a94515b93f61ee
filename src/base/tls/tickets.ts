/**
 * Keys of TLS session tickets (RFC 5077, RFC 8446 §4.6.1): a client that comes back shows the ticket it was given, and
 * needs no new handshake. All workers and instances derive the same keys from one secret of the store, so that it may
 * meet any of them; keys change twice a day, everywhere at once and without a word, by the clock.
 *
 * Whoever has the secret can read tickets, and with them what was sent by TLS 1.2 sessions that were resumed; of TLS 1.3
 * each connection has its own exchange of keys all the same.
 */
import { hkdfSync } from "node:crypto";

const periodMs = 12 * 3_600_000;
/** As node:tls takes them: a name and two keys. */
const keysBytes = 48;

/** @param nowMs since the epoch */
export function ticketKeys(secret: string, nowMs: number): Buffer {
  const period = Math.floor(nowMs / periodMs);
  return Buffer.from(hkdfSync("sha256", secret, "", `cutover tls tickets ${period}`, keysBytes));
}
