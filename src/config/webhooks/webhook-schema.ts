/** The shape of who is told of what happens, in the configuration (schema.ts). */
import * as z from "zod";
import { block } from "../block.ts";

const secret = z
  .string()
  .refine((text) => /^whsec_[A-Za-z0-9+/]+={0,2}$/.test(text) && bytesOf(text) >= 24 && bytesOf(text) <= 64, {
    error: "expected whsec_ followed by the base64 of 24 to 64 random bytes",
  });

function bytesOf(text: string): number {
  return Buffer.from(text.slice("whsec_".length), "base64").length;
}

const notices = [
  "rollback",
  "hold",
  "advance",
  "raise",
  "proposal",
  "deadline_at_risk",
  "guard_blind",
] as const;

export const webhook = block({
  /** What stands in its path may be a secret. */
  url: z.url({ protocol: /^https?$/, error: "expected the URL of an HTTP server" }),
  /** All sign. None: nothing is signed, as a chat's own webhooks are not. */
  secret: z
    .union([secret, z.array(secret).min(1)])
    .transform((given) => [given].flat())
    .default([]),
  events: z
    .array(z.enum(notices))
    .min(1)
    .default([...notices]),
  /** `slack`: one text, as the incoming webhooks of chats take it. */
  format: z.enum(["json", "slack"]).default("json"),
}).refine(({ format, secret: secrets }) => format === "slack" || secrets.length > 0, {
  path: ["secret"],
  error: "expected a secret: without one nobody can tell who sent it",
});
