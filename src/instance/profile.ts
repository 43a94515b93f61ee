/** What a person finds an instance by, and by which configuration it goes: for its record in the store and its metrics. */
import { hostname } from "node:os";
import type { Phase } from "../admin/api/instance-view.ts";
import type { Clock } from "../base/clock.ts";
import { configHash } from "../config/hash.ts";
import type { Config } from "../config/schema.ts";
import type { ConfigInForce, InstanceProfile } from "../state/rules/completion.ts";

export interface Profile {
  read(): InstanceProfile;
  /** Where it listens; until then, where it is to. */
  listens(at: { readonly proxyPort?: number; readonly adminPort?: number }): void;
  /** The configuration was read again, and is in force or was not taken. */
  reread(isInForce: boolean): void;
}

/** @param of read anew each time: its name may change with a reload */
export function createProfile(
  of: { readonly config: Config; readonly phase: Phase },
  clock: Pick<Clock, "now">,
): Profile {
  const { proxy, admin } = of.config.listeners;
  let ports = { proxyPort: proxy.port, adminPort: admin.port };
  const now = () => new Date(clock.now()).toISOString();
  let inForce: ConfigInForce = { hash: configHash(of.config), loadedAt: now() };

  function read(): InstanceProfile {
    const { config, phase } = of;
    const { instance, listeners } = config;
    return {
      name: instance.name ?? `${hostname()}:${ports.proxyPort}`,
      address: `${hostOf(listeners.admin.host)}:${ports.adminPort}`,
      pid: process.pid,
      config: inForce,
      ...(phase === "ready" ? {} : { phase }),
    };
  }

  return {
    read,
    listens(at) {
      ports = { ...ports, ...at };
    },
    reread(isInForce) {
      inForce = isInForce
        ? { hash: configHash(of.config), loadedAt: now() }
        : { ...inForce, refusedAt: now() };
    },
  };
}

/** An address that stands for all of a host's is not one to go to. */
function hostOf(host: string): string {
  if (host === "0.0.0.0" || host === "::") return hostname();
  return host.includes(":") ? `[${host}]` : host;
}
