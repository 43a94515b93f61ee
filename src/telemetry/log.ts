/**
 * The log: one JSON object a line, `level` a word, `time` in ISO 8601, and one line a request.
 *
 * The line of a request has a fixed shape and says nothing of what was asked beyond the method: no path, query,
 * cookie, body or shopper. It is put together by hand, since it is written once a request; every word that does not
 * come from this program is quoted and escaped.
 */
import { type DestinationStream, type Logger, pino } from "pino";
import type { Witness } from "../proxy/witness.ts";
import type { LogFile } from "./log-file.ts";

export const logLevels = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof logLevels)[number];

export function createLog(options: {
  readonly level: LogLevel;
  readonly destination: DestinationStream;
  /** Stand in every line. */
  readonly fields?: Readonly<Record<string, unknown>>;
}): Logger {
  const isoTime = createIsoTime(Date.now);
  return pino(
    {
      level: options.level,
      base: options.fields ?? null,
      timestamp: () => `,"time":"${isoTime()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    options.destination,
  );
}

/** @returns the witness that writes an exchange's line once it is settled; with `enabled` false, one that does nothing */
export function accessLog(options: {
  readonly destination: Pick<LogFile, "writeSoon">;
  readonly enabled: boolean;
}): Witness {
  const { destination, enabled } = options;
  if (!enabled) return {};
  const isoTime = createIsoTime(Date.now);
  const known = createQuoted();
  return {
    settled(record, outcome) {
      destination.writeSoon(
        `{"level":"info","time":"${isoTime()}","msg":"request"` +
          `,"cutover":${known(record.cutover)},"route":${known(record.route)}` +
          `,"side":"${record.side}","reason":"${record.reason ?? "none"}","outcome":"${outcome}"` +
          `,"code":${record.code === undefined ? null : known(record.code)}` +
          `,"status":${record.status ?? null},"duration_ms":${milliseconds(record.endedAt - record.arrivedAt)}` +
          `,"request_id":${quoted(record.requestId)},"method":${known(record.method)}` +
          (record.orElse === undefined ? "}\n" : `,"or_else":"${record.orElse}"}\n`),
      );
    },
  };
}

/** Words that come again and again are quoted once; they are few, and no more are remembered. */
function createQuoted(): (text: string) => string {
  const most = 1024;
  const made = new Map<string, string>();
  return (text) => {
    const found = made.get(text);
    if (found !== undefined) return found;
    const word = quoted(text);
    if (made.size < most && text.length <= 64) made.set(text, word);
    return word;
  };
}

/** The digits of thousandths, three and without the zeros at their end. */
const thousandths = Array.from({ length: 1000 }, (_, n) => `${n}`.padStart(3, "0"));
const fractions = thousandths.map((digits) => `.${digits}`.replace(/\.?0+$/, ""));

/** A number to three decimals, as JSON has it; whole numbers become text at a fraction of what others cost. */
function milliseconds(duration: number): string {
  const micros = Math.round(duration * 1000);
  const fraction = micros % 1000;
  return `${(micros - fraction) / 1000}${fractions[fraction] ?? ""}`;
}

const plain = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;

/** A JSON string in ASCII. */
function quoted(text: string): string {
  if (plain.test(text)) return `"${text}"`;
  return JSON.stringify(text).replaceAll(/[\x7f-\uffff]/g, escaped);
}

function escaped(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** The time of now in ISO 8601; the part down to the second is made once a second. */
function createIsoTime(now: () => number): () => string {
  let second = Number.NaN;
  let prefix = "";
  return () => {
    const milliseconds = now();
    const ofNow = Math.floor(milliseconds / 1000);
    if (ofNow !== second) {
      second = ofNow;
      prefix = new Date(ofNow * 1000).toISOString().slice(0, -4);
    }
    return `${prefix}${thousandths[milliseconds - ofNow * 1000] ?? "000"}Z`;
  };
}
