/**
 * Maintenance of a side: until when nothing is sent there. PURE.
 *
 * It is one text of the cutover's state, so that a person can write it into the store: `legacy 2026-03-01T14:00:00.000Z`,
 * `new …`, or both, legacy first; nothing when neither is maintained. It ends by itself: nobody has to remember it.
 */
import { momentOf, msOf } from "./moment.ts";

type Maintained = "legacy" | "new";

const none: ReadonlyMap<Maintained, string> = new Map();

/** @returns the sides that the text names, each with the RFC 3339 moment until which it is maintained */
function sidesIn(text: string | undefined): ReadonlyMap<Maintained, string> {
  if (text === undefined || text === "") return none;
  const words = text.split(" ");
  const found = new Map<Maintained, string>();
  for (let at = 0; at + 1 < words.length; at += 2) {
    const [side, until = ""] = [words[at], words[at + 1]];
    if (side === "legacy" || side === "new") found.set(side, until);
  }
  return found;
}

/** @returns ms since the epoch until when nothing is sent to the side; `undefined`: it is not, or no more, maintained */
export function maintainedUntil(
  text: string | undefined,
  side: Maintained,
  nowMs: number,
): number | undefined {
  if (text === undefined || text === "") return undefined;
  const untilMs = msOf(sidesIn(text).get(side) ?? "");
  return untilMs !== undefined && nowMs < untilMs ? untilMs : undefined;
}

/** @param until RFC 3339 in UTC with milliseconds; `undefined` ends it @returns the text with that of the side */
export function withMaintenance(
  text: string | undefined,
  side: Maintained,
  until: string | undefined,
): string {
  const all = new Map(sidesIn(text));
  if (until === undefined) all.delete(side);
  else all.set(side, until);
  return textOf(all);
}

function textOf(all: ReadonlyMap<Maintained, string>): string {
  return (["legacy", "new"] as const)
    .flatMap((side) => {
      const until = all.get(side);
      return until === undefined ? [] : [`${side} ${until}`];
    })
    .join(" ");
}

/** @returns the part of a state that the text is; nothing where it is empty */
export function maintenancePart(text: string | undefined): { readonly maintenance?: string } {
  return text === undefined || text === "" ? {} : { maintenance: text };
}

/**
 * Reads what a person typed: sides in any order and case, commas between them, moments with any zone; `off`, `none` or
 * nothing for neither.
 *
 * @returns the text as a state has it; `undefined` when it is none
 */
export function typedMaintenance(typed: string): string | undefined {
  const words = typed.split(/[\s,;]+/).filter((word) => word !== "");
  const [only] = words;
  if (only === undefined || (words.length === 1 && /^(?:off|none)$/i.test(only))) return "";
  const all = new Map<Maintained, string>();
  for (let at = 0; at < words.length; at += 2) {
    const side = words[at]?.toLowerCase();
    const until = momentOf(words[at + 1] ?? "");
    if ((side !== "legacy" && side !== "new") || until === undefined || all.has(side)) return undefined;
    all.set(side, until);
  }
  return textOf(all);
}
