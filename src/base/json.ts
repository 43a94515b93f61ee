/** @returns what the JSON text says; `undefined` when it does not read */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
