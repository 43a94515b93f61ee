/** A real admin server on a memory store, for tests of what talks to it: no proxy, figures as the test sets them. */
import { createHash } from "node:crypto";
import type { ExplainQuery, Explanation } from "../../src/admin/api/explanation.ts";
import type { AdminOptions } from "../../src/admin/context.ts";
import { createAdminServer } from "../../src/admin/server.ts";
import { systemClock } from "../../src/base/clock.ts";
import type { AuthConfig } from "../../src/config/auth-schema.ts";
import { createFollower } from "../../src/state/follow/follow.ts";
import { type Role, roles } from "../../src/state/rules/model.ts";
import { createMemoryStore } from "../../src/state/store/in-process.ts";
import type { Store } from "../../src/state/store/port.ts";
import { createRecordedLog } from "./recorded-log.ts";

export const secrets: Readonly<Record<Role, string>> = {
  viewer: "cutover_viewer",
  responder: "cutover_responder",
  operator: "cutover_operator",
  admin: "cutover_admin",
};

export const tokens: AuthConfig = {
  tokens: roles.map((role) => ({
    name: `${role}-token`,
    role,
    sha256: createHash("sha256").update(secrets[role]).digest("hex"),
  })),
};

export interface AdminFixture {
  readonly url: string;
  readonly port: number;
  readonly store: Store;
  close(): Promise<void>;
}

export interface AdminFixtureOptions {
  readonly names?: readonly string[];
  readonly auth?: AuthConfig;
  readonly port?: number;
  /** A raise of any cutover by more points waits for another person. */
  readonly approvalOver?: number;
  readonly store?: Store;
  /** The instance's id. */
  readonly id?: string;
  readonly underWay?: AdminOptions["underWay"];
  readonly traffic?: () => Readonly<Record<string, unknown>>;
  readonly plans?: AdminOptions["plans"];
  readonly lists?: AdminOptions["lists"];
  readonly older?: AdminOptions["older"];
  readonly explain?: (name: string, query: ExplainQuery) => Explanation | undefined;
}

export async function startAdmin(options: AdminFixtureOptions = {}): Promise<AdminFixture> {
  const { names = ["checkout"], traffic = () => ({}) } = options;
  const { approvalOver: over } = options;
  const approval = over === undefined ? undefined : { over, ttl: 60_000 };
  const clock = systemClock;
  const log = createRecordedLog();
  const store = options.store ?? createMemoryStore({ clock });
  const instance = { id: options.id ?? "one", startedAt: new Date(clock.now()).toISOString() };
  const follower = createFollower({ store, names, instance, traffic, clock, log });
  await follower.start();
  const server = await createAdminServer({
    store,
    follower,
    cutovers: Object.fromEntries(
      names.map((name) => [name, { legacy: "social-shop", new: "marketplace", approval }]),
    ),
    auth: options.auth ?? "none",
    metrics: async () => ({ contentType: "text/plain", parts: [] }),
    traffic,
    instance,
    explain: options.explain ?? (() => undefined),
    health: () => "ready",
    ...(options.underWay === undefined ? {} : { underWay: options.underWay }),
    ...(options.older === undefined ? {} : { older: options.older }),
    ...(options.lists === undefined ? {} : { lists: options.lists }),
    ...(options.plans === undefined ? {} : { plans: options.plans }),
    clock,
    log,
    version: "0.0.0",
  });
  const { url, port } = await server.listen({ host: "127.0.0.1", port: options.port ?? 0 });
  return {
    url: url.replace(/\/$/, ""),
    port,
    store,
    async close() {
      await server.close();
      await follower.stop();
      if (options.store === undefined) await store.close();
    },
  };
}
