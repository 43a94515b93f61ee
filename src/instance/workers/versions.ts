/**
 * By which versions the workers of an instance decide, as far as each has told. To the fleet they are one instance:
 * it decides by a version once all of them do.
 */
export type DecidedVersions = Readonly<Record<string, number>>;

export interface WorkerVersions {
  /** The worker hears from now on, and is told the latest first. */
  hears(worker: number): void;
  /** The worker decides by the snapshot of this number, and by these versions. */
  told(worker: number, seq: number, versions: DecidedVersions): void;
  gone(worker: number): void;
  /**
   * @param own the versions of the primary's snapshot
   * @returns for each cutover the lowest version that any process decides by
   */
  lowest(own: DecidedVersions): DecidedVersions;
  /** Resolves when no worker can decide by an earlier snapshot than that any more. */
  reached(seq: number): Promise<void>;
}

interface Told {
  readonly seq: number;
  /** Absent until the worker has told. */
  readonly versions?: DecidedVersions;
}

export function createWorkerVersions(): WorkerVersions {
  const workers = new Map<number, Told>();
  const waiting = new Set<() => void>();

  function look(): void {
    for (const check of waiting) check();
  }

  return {
    hears(worker) {
      workers.set(worker, { seq: Number.NEGATIVE_INFINITY });
    },
    told(worker, seq, versions) {
      workers.set(worker, { seq, versions });
      look();
    },
    gone(worker) {
      workers.delete(worker);
      look();
    },
    lowest(own) {
      const told = [...workers.values()].flatMap(({ versions }) =>
        versions === undefined ? [] : [versions],
      );
      return Object.fromEntries(
        Object.entries(own).map(([name, version]) => [
          name,
          Math.min(version, ...told.map((versions) => versions[name] ?? 0)),
        ]),
      );
    },
    reached(seq) {
      return new Promise((resolve) => {
        const check = () => {
          if ([...workers.values()].some((told) => told.seq < seq)) return;
          waiting.delete(check);
          resolve();
        };
        waiting.add(check);
        check();
      });
    },
  };
}
