/** A map that holds at most `max` entries: the one longest untouched makes room. */
export interface BoundedMap<Value> {
  /** Reading an entry keeps it longer. */
  get(key: string): Value | undefined;
  set(key: string, value: Value): void;
  delete(key: string): void;
  size(): number;
}

export function createBoundedMap<Value>(max: number): BoundedMap<Value> {
  // A Map iterates in the order of insertion, so the first key is the one longest untouched.
  const entries = new Map<string, Value>();

  function put(key: string, value: Value): void {
    entries.delete(key);
    entries.set(key, value);
  }

  return {
    get(key) {
      const value = entries.get(key);
      if (value !== undefined) put(key, value);
      return value;
    },
    set(key, value) {
      put(key, value);
      for (const oldest of entries.keys()) {
        if (entries.size <= max) break;
        entries.delete(oldest);
      }
    },
    delete(key) {
      entries.delete(key);
    },
    size: () => entries.size,
  };
}
