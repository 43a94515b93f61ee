/** Of what notes for the stores of owners there is one a store: notes that one of them does not take keep no others waiting. */

interface Noting {
  flush(): Promise<void>;
  close(): Promise<void>;
}

interface PerStore<One extends Noting> extends Noting {
  /** The one for the store of the cutover; made when it is first asked for. */
  of(cutover: string): One;
}

/** @param placeOf which store the cutover's are in; without it there is one */
export function perStore<One extends Noting>(
  create: () => One,
  placeOf?: (cutover: string) => unknown,
): PerStore<One> {
  const made = new Map<unknown, One>();
  const all = async (end: (one: One) => Promise<void>) => {
    await Promise.all([...made.values()].map(end));
  };
  return {
    of(cutover) {
      const place = placeOf?.(cutover);
      const one = made.get(place) ?? create();
      made.set(place, one);
      return one;
    },
    flush: () => all((one) => one.flush()),
    close: () => all((one) => one.close()),
  };
}
