/** What was explained, as the admin API says it. */
import type { Explanation } from "../admin/api/explanation.ts";
import type { Explained } from "../proxy/explain.ts";
import { percentToNumber } from "../state/rules/percent.ts";

export function explanationOf({ decision, bucket, state, owner, journey, sentence }: Explained): Explanation {
  return {
    side: decision.side,
    reason: decision.reason,
    bucket: bucket ?? null,
    percent: percentToNumber(state.percentThousandths),
    version: state.version,
    owner: owner === undefined ? null : { side: owner.side ?? null, by: owner.by },
    journey:
      journey === undefined
        ? null
        : { side: journey.side, startedAt: new Date(journey.startedAt * 1000).toISOString() },
    sentence,
  };
}
