/** A list as the API shows and changes it (zod). Members never leave the API: it tells whether somebody is on a list. */
import * as z from "zod";
import { reasonSchema } from "../write.ts";

export const listName = z.object({ name: z.string().meta({ description: "The list's name" }) });

const listHead = {
  name: z.string(),
  takes: z.enum(["plain", "digests"]).meta({
    description: "What a change gives: members as a request has them, or their SHA-256 in hex",
  }),
  members: z.int().meta({ description: "How many are on it" }),
  version: z.int().meta({ description: "+1 with each write; 0: never changed" }),
  updatedAt: z.string().meta({ description: "RFC 3339, the store's clock; empty at version 0" }),
  updatedBy: z.string(),
  reason: z.string(),
  loaded: z
    .int()
    .meta({ description: "How many are on it in the instance that answers, which decides by them" }),
};
const example = {
  name: "staff",
  takes: "plain" as const,
  members: 412,
  version: 7,
  updatedAt: "2025-03-01T12:00:00.004Z",
  updatedBy: "ana",
  reason: "second shift",
  loaded: 412,
};

export const listView = z.object(listHead).meta({ examples: [example] });
export type ListView = z.output<typeof listView>;

export const listAnswer = z
  .object({
    ...listHead,
    changed: z.boolean().meta({ description: "False when it stood so already" }),
  })
  .meta({ examples: [{ ...example, changed: true }] });
export type ListAnswer = z.output<typeof listAnswer>;

export const waitingList = z
  .object({
    id: z.string().meta({ description: "Tells the content of the change" }),
    by: z.string().meta({ description: "Who may not make it" }),
    reason: z.string(),
    at: z.string(),
    expiresAt: z.string(),
  })
  .meta({
    examples: [
      {
        id: "9f86d081884c7d65",
        by: "ana",
        reason: "second shift",
        at: "2025-03-01T12:00:00.004Z",
        expiresAt: "2025-03-01T12:30:00.004Z",
      },
    ],
  });

/** In one call; an import is many. */
export const mostMembers = 20_000;

const members = z.array(z.string()).max(mostMembers).default([]);
export const changeListBody = z
  .strictObject({
    add: members,
    remove: members.meta({ description: "Who is in both is added" }),
    form: z.enum(["plain", "digests"]).optional().meta({
      description: "Of these members; without it, what the list takes. Digests are taken by every list",
    }),
    reason: reasonSchema,
  })
  .meta({ examples: [{ add: ["u-1001", "u-1002"], remove: [], reason: "second shift" }] });

export const memberQuery = z.strictObject({
  member: z.string().min(1).max(512).meta({ description: "As the list takes them" }),
});
export const memberAnswer = z.object({ has: z.boolean() }).meta({ examples: [{ has: true }] });

export const listHistoryEntry = z
  .object({
    version: z.int(),
    at: z.string(),
    by: z.string(),
    added: z.int().meta({ description: "As many as were asked for" }),
    removed: z.int(),
    reason: z.string(),
  })
  .meta({
    examples: [
      {
        version: 7,
        at: "2025-03-01T12:00:00.004Z",
        by: "ana",
        added: 2,
        removed: 0,
        reason: "second shift",
      },
    ],
  });
