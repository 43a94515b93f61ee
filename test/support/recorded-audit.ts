/** An audit that keeps what it is told, as the lines a file would have. */
import { type Line, proposalLine, refusedLine, turnedAwayLine } from "../../src/audit/lines.ts";
import { type Audit, noAudit } from "../../src/audit/port.ts";

export interface RecordedAudit extends Audit {
  readonly lines: readonly Line[];
  /** Those of one kind. */
  of(kind: string): readonly Line[];
}

export function createRecordedAudit(): RecordedAudit {
  const lines: Line[] = [];
  const [at, instance] = ["now", "one"];
  return {
    ...noAudit,
    lines,
    of: (kind) => lines.filter((line) => line.kind === kind),
    refused: (refused) => void lines.push(refusedLine(at, instance, refused)),
    turnedAway: (turned) => void lines.push(turnedAwayLine(at, instance, turned)),
    proposal: (told) => void lines.push(proposalLine(at, instance, told)),
  };
}
