/**
 * A map of bounded size that forgets what was not used for long. Two generations: what is used moves into the younger;
 * when that has grown to half of the bound the older is forgotten whole and the younger takes its place. So at least
 * half as many entries as may be kept are remembered, and forgetting costs nothing, however many pass through. (One
 * Map that gives up its first entry each time walks over all it has given up before.)
 */
interface BoundedMap<Value> {
  get(key: string): Value | undefined;
  set(key: string, value: Value): void;
  delete(key: string): void;
  /** All of them, in no order that counts. */
  values(): readonly Value[];
  readonly size: number;
}

/** @param most entries kept at any time, at least 2 */
export function createBoundedMap<Value>(most: number): BoundedMap<Value> {
  const half = Math.max(1, Math.floor(most / 2));
  let younger = new Map<string, Value>();
  let older = new Map<string, Value>();

  function put(key: string, value: Value): void {
    if (younger.size >= half && !younger.has(key)) {
      older = younger;
      younger = new Map();
    }
    younger.set(key, value);
    older.delete(key);
  }

  return {
    get(key) {
      const young = younger.get(key);
      if (young !== undefined) return young;
      const old = older.get(key);
      if (old !== undefined) put(key, old);
      return old;
    },
    set: put,
    delete(key) {
      younger.delete(key);
      older.delete(key);
    },
    values: () => [...older.values(), ...younger.values()],
    get size() {
      return younger.size + older.size;
    },
  };
}
