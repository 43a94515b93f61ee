/** What somebody who typed a name that is none may have meant. PURE. */

/** @returns the known name that takes the fewest slips of the hand (one left out, added, wrong, or two swapped), at most a third of its letters; `undefined`: none is near */
export function nearest(typed: string, known: readonly string[]): string | undefined {
  const near = known
    .map((name) => ({ name, slips: slipsBetween(typed.toLowerCase(), name.toLowerCase()) }))
    .filter(({ name, slips }) => slips <= Math.max(1, Math.floor(name.length / 3)))
    .sort((one, other) => one.slips - other.slips);
  return near[0]?.name ?? known.find((name) => typed.length >= 3 && name.startsWith(typed));
}

/** Names are at most 63 long; of longer texts the beginning counts. */
const longest = 80;

/** Optimal string alignment distance. */
function slipsBetween(one: string, other: string): number {
  const [a, b] = [one.slice(0, longest), other.slice(0, longest)];
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let least = Math.min((above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (above[j - 1] ?? 0) + cost);
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (isSwapped) least = Math.min(least, (before[j - 2] ?? 0) + 1);
      row.push(least);
    }
    [before, above] = [above, row];
  }
  return above[b.length] ?? 0;
}
