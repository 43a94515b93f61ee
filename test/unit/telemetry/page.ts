/** Reading a scraped page in tests. */

/** Every sample by its series text, `name{labels}`. */
export function samplesOf(page: string): ReadonlyMap<string, number> {
  const samples = new Map<string, number>();
  for (const line of page.split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    // What follows in OpenMetrics is an example of what was counted.
    const [sample = ""] = line.split(" # ");
    const end = sample.lastIndexOf(" ");
    const series = sample.slice(0, end);
    if (samples.has(series)) throw new Error(`the series ${series} stands twice on the page`);
    samples.set(series, Number(sample.slice(end + 1)));
  }
  return samples;
}
