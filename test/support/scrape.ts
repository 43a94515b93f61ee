/** Pages of metrics, as a scrape has them. */

/** The series of a scrape: `name{labels}` and value. */
export async function scrape(admin: string): Promise<ReadonlyMap<string, number>> {
  const response = await fetch(`${admin}/metrics`);
  const text = await response.text();
  const samples = text.split("\n").filter((each) => each !== "" && !each.startsWith("#"));
  return new Map(
    samples.map((each) => {
      const at = each.lastIndexOf(" ");
      return [each.slice(0, at), Number(each.slice(at + 1))];
    }),
  );
}

/** The sum over all series of the name whose labels hold the text. */
export function sumOf(series: ReadonlyMap<string, number>, name: string, labels = ""): number {
  let sum = 0;
  for (const [key, value] of series) {
    if ((key === name || key.startsWith(`${name}{`)) && key.includes(labels)) sum += value;
  }
  return sum;
}

/** Counters that stand lower in `after` than in `before`, or are gone. */
export function fallen(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): string[] {
  return [...before].flatMap(([key, value]) => {
    const isCounter = /^cutover_[a-z_]*(_total|_bucket|_sum|_count)(\{|$)/.test(key);
    return isCounter && (after.get(key) ?? -1) < value ? [`${key}: ${value}, then ${after.get(key)}`] : [];
  });
}
