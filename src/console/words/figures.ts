/** Numbers, spans and moments as the reader's locale writes them; texts are English in all. PURE. */
import type { Locale, Zone } from "../state.ts";

export interface Figures {
  /** 4312 → `4,312`, in Indonesian `4.312`. */
  count(whole: number): string;
  /** 12.5 → `12.5%`, exact to three decimals. */
  percent(points: number): string;
  /** A share of 1, to a tenth of a percent, smaller ones to a hundredth; null: `–`. */
  rate(share: number | null): string;
  /** A share's difference in points, with its sign: 0.006 → `+0.6`. */
  points(share: number): string;
  /** Odds against 1: 8200 → `8,200`, small ones to a tenth. */
  odds(of: number): string;
  /**
   * An amount in minor units of the currency: 1990 USD → `$19.90`, 1234567 IDR without decimals → `Rp 1.234.567`.
   *
   * @param decimals that the minor units are; without it, those that the currency usually has
   */
  money(minorUnits: number, currency: string, decimals?: number): string;
  /** Seconds as milliseconds; null: `–`. */
  latency(seconds: number | null): string;
  /** `02:14:09 UTC`, with the day where that is not the day of `now`. */
  moment(iso: string, now: string): string;
  /** To the minute: `02:14 UTC`, with the day where that is not the day of `now`. */
  day(iso: string, now: string): string;
  /** `02:14`. */
  clock(ms: number): string;
}

/** As people there call it. */
const zoneNames: Readonly<Record<Zone, string>> = { UTC: "UTC", "Asia/Jakarta": "WIB" };

export function createFigures(locale: Locale, zone: Zone): Figures {
  const whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
  const exact = new Intl.NumberFormat(locale, { maximumFractionDigits: 3 });
  const coarse = new Intl.NumberFormat(locale, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
  const signed = new Intl.NumberFormat(locale, {
    minimumFractionDigits: 1,
    maximumFractionDigits: 1,
    signDisplay: "exceptZero",
  });
  const fine = new Intl.NumberFormat(locale, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  const time = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: zone } as const;
  const seconds = new Intl.DateTimeFormat("en-GB", { ...time, second: "2-digit" });
  const minutes = new Intl.DateTimeFormat("en-GB", time);
  const day = new Intl.DateTimeFormat(locale === "en" ? "en-GB" : locale, {
    day: "numeric",
    month: "short",
    timeZone: zone,
  });
  function dated(clock: Intl.DateTimeFormat, iso: string, now: string): string {
    const at = new Date(iso);
    const told = `${clock.format(at)} ${zoneNames[zone]}`;
    return day.format(at) === day.format(new Date(now)) ? told : `${day.format(at)}, ${told}`;
  }

  return {
    count: (value) => whole.format(value),
    percent: (points) => `${exact.format(points)}%`,
    rate(share) {
      if (share === null) return "–";
      const points = share * 100;
      return `${points > 0 && points < 1 ? fine.format(points) : coarse.format(points)}%`;
    },
    points: (share) => signed.format(share * 100).replace("-", "−"),
    odds: (of) => (of >= 10 ? whole : coarse).format(of),
    money: (minorUnits, currency, decimals) => moneyText(locale, minorUnits, currency, decimals),
    latency: (of) => (of === null ? "–" : `${whole.format(of * 1000)} ms`),
    moment: (iso, now) => dated(seconds, iso, now),
    day: (iso, now) => dated(minutes, iso, now),
    clock: (ms) => minutes.format(new Date(ms)),
  };
}

/** Cents only where there are any. A code that is no currency's is written as it is. */
function moneyText(locale: Locale, minorUnits: number, currency: string, decimals?: number): string {
  try {
    const style = { style: "currency", currency } as const;
    const usual = new Intl.NumberFormat(locale, style).resolvedOptions().maximumFractionDigits ?? 2;
    const amount = minorUnits / 10 ** (decimals ?? usual);
    const digits = Number.isInteger(amount) ? 0 : (decimals ?? usual);
    return new Intl.NumberFormat(locale, {
      ...style,
      ...{ minimumFractionDigits: digits, maximumFractionDigits: digits },
    }).format(amount);
  } catch {
    return `${currency} ${minorUnits}`;
  }
}

/** Every RFC 3339 moment that stands in a text, as the reader's clock says it. */
export function momentsIn(text: string, figures: Figures, now: string): string {
  return text.replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g, (iso) => figures.moment(iso, now));
}
