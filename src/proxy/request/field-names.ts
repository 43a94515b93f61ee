/**
 * Field names in lower case. The few names that make up nearly all traffic are remembered, so that most requests
 * lower-case nothing; the memory is bounded and belongs to whoever made it.
 */
export interface FieldNames {
  /** The names at the even places of a flat list, lower case. */
  of(fields: readonly string[]): string[];
}

const most = 512;

export function createFieldNames(): FieldNames {
  const known = new Map<string, string>();
  const lower = (name: string): string => {
    const found = known.get(name);
    if (found !== undefined) return found;
    const lowered = name.toLowerCase();
    if (known.size < most && name.length <= 64) known.set(name, lowered);
    return lowered;
  };
  return {
    of(fields) {
      const names: string[] = [];
      for (let i = 0; i < fields.length; i += 2) names.push(lower(fields[i] ?? ""));
      return names;
    },
  };
}
