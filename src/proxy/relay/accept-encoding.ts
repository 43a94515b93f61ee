/**
 * Accept-Encoding for an upstream whose answer is to be read here (RFC 9110 §12.5.3): codings that this proxy cannot undo
 * are left out, the others keep their weight. A `*` becomes the readable codings that are not named; where nothing is
 * left, the answer comes as it is.
 */
import { readableCodings } from "../request/buffered-body.ts";

/** What a `*` stands for; x-gzip is another name of gzip. */
const anyCoding = [...readableCodings].filter((coding) => coding !== "x-gzip");

/** @param fields flat list, name then value; changed in place. Without the field, it stays without */
export function askReadably(fields: string[]): void {
  let given: string | undefined;
  let first = -1;
  for (let i = fields.length - 2; i >= 0; i -= 2) {
    if (fields[i]?.toLowerCase() !== "accept-encoding") continue;
    given = given === undefined ? fields[i + 1] : `${fields[i + 1]},${given}`;
    if (first !== -1) fields.splice(first, 2);
    first = i;
  }
  if (given !== undefined) fields[first + 1] = readableOf(given);
}

function readableOf(given: string): string {
  const members = given
    .split(",")
    .map((member) => member.trim())
    .filter((member) => member !== "");
  // An empty field asks for what is not encoded at all.
  if (members.length === 0) return given;
  const named = new Set(members.map(codingOf));
  const kept = members.flatMap((member) => {
    const coding = codingOf(member);
    if (readableCodings.has(coding)) return member;
    if (coding !== "*") return [];
    const weight = member.slice(1);
    return anyCoding.flatMap((one) => (named.has(one) ? [] : `${one}${weight}`));
  });
  return kept.some((member) => !isRefused(member)) ? kept.join(", ") : "identity";
}

function codingOf(member: string): string {
  return (member.split(";")[0] ?? "").trim().toLowerCase();
}

/** Whether its weight is 0. */
function isRefused(member: string): boolean {
  return /;\s*q\s*=\s*0(?:\.0{0,3})?\s*$/i.test(member);
}
