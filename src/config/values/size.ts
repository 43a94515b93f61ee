const units = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const;
const form = /^(\d{1,9})(B|KiB|MiB|GiB)$/;

function isUnit(text: string | undefined): text is keyof typeof units {
  return text !== undefined && Object.hasOwn(units, text);
}

/**
 * Reads `512B`, `64KiB`, `10MiB`, `2GiB`.
 *
 * @returns bytes; `undefined` when the text is no size
 */
export function parseSize(text: string): number | undefined {
  const [, count, unit] = form.exec(text) ?? [];
  if (count === undefined || !isUnit(unit)) return undefined;
  return Number(count) * units[unit];
}
