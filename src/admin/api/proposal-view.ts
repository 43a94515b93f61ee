/** A raise that waits for another person (zod): what a large one is answered with, and what a cutover shows. */
import { z } from "zod";

export const approvalView = z.object({
  over: z.number().meta({ description: "A raise by more points than these waits for another person" }),
  ttlSeconds: z.number().meta({ description: "For so long" }),
});

export const proposalView = z
  .object({
    id: z.string(),
    name: z.string().meta({ description: "The cutover's" }),
    percent: z.number().meta({ description: "What it would be raised to" }),
    version: z.int().meta({ description: "Of the state it was made on: it can be approved on no other" }),
    by: z.string().meta({ description: "Who may not approve it" }),
    reason: z.string(),
    at: z.string(),
    expiresAt: z.string(),
  })
  .meta({
    examples: [
      {
        id: "f3a1c09b",
        name: "checkout",
        percent: 50,
        version: 42,
        by: "ana",
        reason: "step 4",
        at: "2025-03-01T12:00:00.004Z",
        expiresAt: "2025-03-01T12:30:00.004Z",
      },
    ],
  });
export type ProposalView = z.output<typeof proposalView>;
