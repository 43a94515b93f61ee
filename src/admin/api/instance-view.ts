/** An instance as the API shows it (zod): its record, its health, its clock, and who the caller is to it. */
import * as z from "zod";
import { roles } from "../../state/rules/model.ts";

export const instanceView = z
  .object({
    id: z.string(),
    name: z.string().meta({ description: "`instance.name` of its configuration" }),
    address: z.string().nullable().meta({ description: "Its admin listener, host:port; null: not known" }),
    pid: z.int().nullable(),
    startedAt: z.string(),
    seenAt: z.string(),
    versions: z.record(z.string(), z.int()),
    inFlight: z
      .record(z.string(), z.object({ legacy: z.int(), new: z.int() }))
      .default({})
      .meta({ description: "By cutover, the requests of each side that are not over, as it last said" }),
    begun: z
      .record(z.string(), z.object({ legacy: z.int(), new: z.int() }))
      .optional()
      .meta({
        description: "By cutover, the journeys that have begun on each side in 5 min, where it tells them",
      }),
    tookMs: z.record(z.string(), z.number()).optional().meta({
      description:
        "By cutover, how long the change that it decides by took to reach it; absent of what it found at its start",
    }),
    config: z
      .object({
        hash: z
          .string()
          .meta({ description: "The same where configurations decide alike; secrets left out" }),
        loadedAt: z.string(),
        refusedAt: z
          .string()
          .nullable()
          .meta({ description: "When it was last told to read it again and refused it; null: it did not" }),
      })
      .nullable(),
  })
  .meta({
    examples: [
      {
        id: "1f0c77ab",
        name: "shop-1:8080",
        address: "shop-1:9900",
        pid: 4711,
        startedAt: "2025-03-01T08:00:00.000Z",
        seenAt: "2025-03-01T12:00:00.004Z",
        versions: { checkout: 43 },
        inFlight: { checkout: { legacy: 8, new: 1 } },
        begun: { checkout: { legacy: 390, new: 43 } },
        tookMs: { checkout: 12 },
        config: { hash: "9f86d081884c", loadedAt: "2025-03-01T08:00:00.000Z", refusedAt: null },
      },
    ],
  });

export type InstanceView = z.output<typeof instanceView>;

const contact = z.object({
  up: z.boolean().meta({ description: "Whether the store answered the last call" }),
  writable: z.boolean().optional().meta({ description: "Whether the store takes what is written" }),
  word: z
    .string()
    .nullable()
    .optional()
    .meta({ description: "The store's own word, where it answers and refuses: OOM, READONLY, NOPERM" }),
  stalenessSeconds: z.number().meta({ description: "Seconds since the store last answered" }),
});

export type ContactView = z.output<typeof contact>;

/** Event `tick`: the server's time, once a second. What is older than three ticks is stale. */
export const tickEvent = z.object({ serverTime: z.string(), store: contact });
export type TickEvent = z.output<typeof tickEvent>;

const phases = ["starting", "ready", "draining"] as const;
export type Phase = (typeof phases)[number];

export const healthView = z.object({
  status: z.enum(phases),
  store: contact,
  ownerStores: z
    .record(z.string(), contact)
    .optional()
    .meta({ description: "The same of the stores of owners, by cutover; those that have one of their own" }),
  cutovers: z.record(z.string(), z.int()).meta({ description: "The version this instance decides by" }),
});

/** Who asks, as this instance knows it, and what time it is there. */
export const identity = z
  .object({
    name: z.string().meta({ description: "Stands in the history as by" }),
    role: z.enum(roles),
    instance: z.string(),
    version: z.string().meta({ description: "Of the program" }),
    serverTime: z.string().meta({ description: "RFC 3339, the instance's clock" }),
    storeTime: z
      .string()
      .nullable()
      .meta({ description: "RFC 3339, the store's clock; null: it does not tell" }),
    storeMs: z.number().nullable().meta({ description: "How long the store took to answer" }),
  })
  .meta({
    examples: [
      {
        name: "ana",
        role: "operator",
        instance: "1f0c77ab",
        version: "0.1.0",
        serverTime: "2025-03-01T12:00:00.000Z",
        storeTime: "2025-03-01T12:00:00.002Z",
        storeMs: 0.8,
      },
    ],
  });
export type Identity = z.output<typeof identity>;
