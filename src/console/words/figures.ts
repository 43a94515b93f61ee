/** Numbers, spans and moments as the reader's locale writes them; texts are English in all. PURE. */
import type { Locale, Zone } from "../state.ts";

export interface Figures {
  /** 4312 → `4,312`, in Indonesian `4.312`. */
  count(whole: number): string;
  /** 12.5 → `12.5%`, exact to three decimals. */
  percent(points: number): string;
  /** A share of 1, to a tenth of a percent, smaller ones to a hundredth; null: `–`. */
  rate(share: number | null): string;
  /** Seconds as milliseconds; null: `–`. */
  latency(seconds: number | null): string;
  /** `02:14:09 UTC`, with the day where that is not the day of `now`. */
  moment(iso: string, now: string): string;
  /** `02:14`. */
  clock(ms: number): string;
}

/** As people there call it. */
const zoneNames: Readonly<Record<Zone, string>> = { UTC: "UTC", "Asia/Jakarta": "WIB" };

export function createFigures(locale: Locale, zone: Zone): Figures {
  const whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
  const exact = new Intl.NumberFormat(locale, { maximumFractionDigits: 3 });
  const coarse = new Intl.NumberFormat(locale, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
  const fine = new Intl.NumberFormat(locale, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  const time = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: zone } as const;
  const seconds = new Intl.DateTimeFormat("en-GB", { ...time, second: "2-digit" });
  const minutes = new Intl.DateTimeFormat("en-GB", time);
  const day = new Intl.DateTimeFormat(locale === "en" ? "en-GB" : locale, {
    day: "numeric",
    month: "short",
    timeZone: zone,
  });
  return {
    count: (value) => whole.format(value),
    percent: (points) => `${exact.format(points)}%`,
    rate(share) {
      if (share === null) return "–";
      const points = share * 100;
      return `${points > 0 && points < 1 ? fine.format(points) : coarse.format(points)}%`;
    },
    latency: (of) => (of === null ? "–" : `${whole.format(of * 1000)} ms`),
    moment(iso, now) {
      const at = new Date(iso);
      const told = `${seconds.format(at)} ${zoneNames[zone]}`;
      return day.format(at) === day.format(new Date(now)) ? told : `${day.format(at)}, ${told}`;
    },
    clock: (ms) => minutes.format(new Date(ms)),
  };
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

/** Every RFC 3339 moment that stands in a text, as the reader's clock says it. */
export function momentsIn(text: string, figures: Figures, now: string): string {
  return text.replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g, (iso) => figures.moment(iso, now));
}
