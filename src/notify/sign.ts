/**
 * Signed as Standard Webhooks has it (https://github.com/standard-webhooks/standard-webhooks, 1.0.0): HMAC-SHA256 of
 * `ID.TIMESTAMP.BODY` under each secret, so that one can be changed without a gap. The time is that of the sending, and
 * signed with the rest: what somebody has kept is refused later.
 */
import { createHmac } from "node:crypto";

/** @param secrets `whsec_` and base64 each @param sentAtMs since the epoch */
export function signedFields(
  secrets: readonly string[],
  id: string,
  sentAtMs: number,
  body: string,
): Record<string, string> {
  const timestamp = `${Math.floor(sentAtMs / 1000)}`;
  const signatures = secrets.map((secret) => {
    const key = Buffer.from(secret.slice("whsec_".length), "base64");
    return `v1,${createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64")}`;
  });
  const signed = signatures.length === 0 ? {} : { "webhook-signature": signatures.join(" ") };
  return { "webhook-id": id, "webhook-timestamp": timestamp, ...signed };
}
