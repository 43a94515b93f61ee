/** Spans of time as the page and the terminal say them. PURE. */

/** `14 min ago`; what is not a second old is `just now`. */
export function agoText(ms: number): string {
  return ms < 1000 ? "just now" : `${spanText(ms)} ago`;
}

/** In the largest whole unit: `9 s`, `14 min`, `3 h`, `2 days`. */
export function spanText(ms: number): string {
  const of = Math.max(0, ms);
  if (of < 950) return `${(of / 1000).toFixed(1)} s`;
  const whole = Math.round(of / 1000);
  if (whole < 120) return `${whole} s`;
  const minutes = Math.floor(of / 60_000);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} days`;
}
