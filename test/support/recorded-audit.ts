/** An audit that keeps what it is told, as the lines a file would have. */
import {
  type AuditLine,
  freezeLine,
  proposalLine,
  refusedLine,
  scheduleLine,
  turnedAwayLine,
} from "../../src/audit/lines.ts";
import { type Audit, noAudit } from "../../src/audit/port.ts";

export interface RecordedAudit extends Audit {
  readonly lines: readonly AuditLine[];
  /** Those of one kind. */
  of(kind: string): readonly AuditLine[];
}

export function createRecordedAudit(): RecordedAudit {
  const lines: AuditLine[] = [];
  const [at, instance] = ["now", "one"];
  return {
    ...noAudit,
    lines,
    of: (kind) => lines.filter((line) => line.kind === kind),
    refused: (refused) => void lines.push(refusedLine(at, instance, refused)),
    turnedAway: (turned) => void lines.push(turnedAwayLine(at, instance, turned)),
    schedule: (told) => void lines.push(scheduleLine(at, instance, told)),
    freeze: (told) => void lines.push(freezeLine(at, instance, told)),
    proposal: (told) => void lines.push(proposalLine(at, instance, told)),
  };
}
