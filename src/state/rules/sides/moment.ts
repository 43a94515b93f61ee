/** Moments as text (RFC 3339), reckoned without a clock's classes. PURE. The dates are Howard Hinnant's civil_from_days. */
const rfc3339 = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,3}))?)?(?:Z|([+-])(\d\d):(\d\d))$/;

const [minuteMs, hourMs, dayMs] = [60_000, 3_600_000, 86_400_000];

/** @returns ms since the epoch; `undefined` when the text is no moment with its zone */
export function msOf(text: string): number | undefined {
  const found = rfc3339.exec(text.toUpperCase());
  if (found === null) return undefined;
  const number = (group: number) => Number(found[group] ?? 0);
  const [year, month, day] = [number(1), number(2), number(3)];
  const [hour, minute, second, zoneHour, zoneMinute] = [
    number(4),
    number(5),
    number(6),
    number(9),
    number(10),
  ];
  const isTime = hour < 24 && minute < 60 && second < 60 && zoneHour < 24 && zoneMinute < 60;
  const days = daysOf(year, month, day);
  if (!isTime || month < 1 || month > 12 || !isSame(civilOf(days), [year, month, day])) return undefined;
  const ms = Number((found[7] ?? "").padEnd(3, "0"));
  const zoneMs = (found[8] === "-" ? -1 : 1) * (zoneHour * hourMs + zoneMinute * minuteMs);
  return days * dayMs + hour * hourMs + minute * minuteMs + second * 1000 + ms - zoneMs;
}

/** @returns the same moment in UTC with milliseconds */
export function momentOf(text: string): string | undefined {
  const ms = msOf(text);
  if (ms === undefined) return undefined;
  const days = Math.floor(ms / dayMs);
  const rest = ms - days * dayMs;
  const [year, month, day] = civilOf(days);
  const [h, m, s] = [rest / hourMs, (rest % hourMs) / minuteMs, (rest % minuteMs) / 1000].map(Math.floor);
  if (year < 0 || year > 9999) return undefined;
  const of = (value = 0, digits = 2) => `${value}`.padStart(digits, "0");
  return `${of(year, 4)}-${of(month)}-${of(day)}T${of(h)}:${of(m)}:${of(s)}.${of(rest % 1000, 3)}Z`;
}

type Civil = readonly [year: number, month: number, day: number];

function daysOf(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

function civilOf(days: number): Civil {
  const z = days + 719_468;
  const era = Math.floor(z / 146_097);
  const dayOfEra = z - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const mp = Math.floor((5 * dayOfYear + 2) / 153);
  const month = mp < 10 ? mp + 3 : mp - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  return [year, month, dayOfYear - Math.floor((153 * mp + 2) / 5) + 1];
}

function isSame(one: Civil, other: Civil): boolean {
  return one.every((value, at) => value === other[at]);
}
