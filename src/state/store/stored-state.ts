/** The state of a cutover as files hold it (JSON), checked on the way in. */
import { z } from "zod";
import { type CutoverState, stateNames } from "../rules/model.ts";
import { maxThousandths } from "../rules/percent.ts";

const count = z.int().min(0);

/** What no accepted change can have left behind does not pass: a rolled back cutover above 0, a closed one below 100. */
export const storedState: z.ZodType<CutoverState> = z
  .object({
    percentThousandths: count.max(maxThousandths),
    state: z.enum(stateNames),
    pinEpoch: count,
    version: count,
    updatedAt: z.string(),
    updatedBy: z.string(),
    reason: z.string(),
  })
  .refine(
    ({ state, percentThousandths }) =>
      (state !== "rolled_back" || percentThousandths === 0) &&
      (state !== "closed" || percentThousandths === maxThousandths),
    { error: "expected percent 0 while rolled back and 100 while closed" },
  );
