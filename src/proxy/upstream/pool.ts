/**
 * The upstreams of the configurations that still have requests. One whose place and limits stay the same across a
 * reload keeps its connections; one that no configuration names any more is closed once its last request is over.
 */
import type { Config } from "../../config/schema.ts";
import { openGatedUpstream, type UpstreamSurroundings } from "./open-gated.ts";
import type { Upstream } from "./port.ts";

export interface Lease {
  readonly upstreams: ReadonlyMap<string, Upstream>;
  /** No request of its holder uses them any more. */
  release(): void;
}

export interface UpstreamPool {
  lease(config: Config): Lease;
  /** Resolves when all that were released are closed. */
  settled(): Promise<void>;
}

interface Shared {
  readonly upstream: Upstream;
  holders: number;
}

export function createUpstreamPool(
  surroundings: UpstreamSurroundings,
  onFault: (error: unknown) => void,
): UpstreamPool {
  const shared = new Map<string, Shared>();
  const closing = new Set<Promise<void>>();

  function take(key: string, create: () => Upstream): Upstream {
    const known = shared.get(key) ?? { upstream: create(), holders: 0 };
    shared.set(key, known);
    known.holders += 1;
    return known.upstream;
  }

  function giveBack(key: string): void {
    const known = shared.get(key);
    if (known === undefined) return;
    known.holders -= 1;
    if (known.holders > 0) return;
    shared.delete(key);
    const closed = known.upstream
      .close()
      .catch(onFault)
      .finally(() => closing.delete(closed));
    closing.add(closed);
  }

  return {
    lease(config) {
      const keys: string[] = [];
      const upstreams = Object.entries(config.upstreams).map(([name, declared]) => {
        const key = JSON.stringify([config.engine, name, declared]);
        keys.push(key);
        return [
          name,
          take(key, () => openGatedUpstream(config.engine, name, declared, surroundings)),
        ] as const;
      });
      return {
        upstreams: new Map(upstreams),
        release: () => {
          for (const key of keys.splice(0)) giveBack(key);
        },
      };
    },
    async settled() {
      await Promise.all(closing);
    },
  };
}

/** Upstreams by name for a table that is asked for decisions and never for the way. */
export function unreachableUpstreams(config: Config): ReadonlyMap<string, Upstream> {
  const refuse = (name: string): Upstream => ({
    name,
    forward() {
      throw new Error(`no request goes to ${name} from here`);
    },
    close: async () => {},
  });
  return new Map(Object.keys(config.upstreams).map((name) => [name, refuse(name)]));
}
