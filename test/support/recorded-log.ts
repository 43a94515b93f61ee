/** A log that a test reads back. */
import type { Log } from "../../src/base/log.ts";

export interface Line {
  readonly level: "info" | "warn" | "error";
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

export interface RecordedLog extends Log {
  readonly lines: readonly Line[];
  /** The lines whose message contains the text. */
  about(text: string): readonly Line[];
}

export function createRecordedLog(): RecordedLog {
  const lines: Line[] = [];
  const write = (level: Line["level"]) => (fields: Line["fields"], message: string) => {
    lines.push({ level, fields, message });
  };
  return {
    lines,
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    about: (text) => lines.filter(({ message }) => message.includes(text)),
  };
}
