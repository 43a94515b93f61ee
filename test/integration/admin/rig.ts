/** A running admin server on a free port, on a memory store and a real follower; the store can be cut off. */
import { createHash } from "node:crypto";
import type { AdminOptions } from "../../../src/admin/context.ts";
import { createAdminServer } from "../../../src/admin/server.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { StoreUnavailable } from "../../../src/base/errors.ts";
import type { Log } from "../../../src/base/log.ts";
import { createFollower } from "../../../src/state/follow/follow.ts";
import type { Change, Role } from "../../../src/state/rules/model.ts";
import { createMemoryStore } from "../../../src/state/store/in-process.ts";
import type { StartsOf, Store } from "../../../src/state/store/port.ts";
import { createTraffic } from "../../../src/telemetry/traffic/traffic.ts";

export const cutovers = {
  checkout: { legacy: "social-shop", new: "marketplace" },
  search: { legacy: "old-search", new: "new-search" },
};

const names = Object.keys(cutovers);

export interface Line {
  readonly level: "info" | "warn" | "error";
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

export interface Rig {
  readonly url: string;
  readonly port: number;
  readonly store: Store;
  readonly lines: Line[];
  readonly traffic: ReturnType<typeof createTraffic>;
  /** `down`: every call rejects. `silent`: no call is ever answered. `refusing`: no hold and no rollback is taken, whoever offers it. */
  connection: "up" | "down" | "silent" | "refusing";
  /** A call of the API, with the token of a role when tokens are configured. */
  call(method: string, path: string, body?: unknown, more?: RequestInit & { role?: Role }): Promise<Reply>;
  /** Shows these cutovers and knows these tokens from now on. */
  reconfigure(to: Pick<AdminOptions, "cutovers" | "auth">): void;
  /** Changes the store past the API, as another instance's would. */
  change(name: string, change: Change): Promise<void>;
  close(): Promise<void>;
}

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body read as JSON; undefined when it is none. */
  readonly json: unknown;
}

export const secretOf = (role: Role) => `secret-of-${role}`;
export const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
export const tokens: AdminOptions["auth"] = {
  tokens: (["viewer", "responder", "operator", "admin"] as const).map((role) => ({
    name: `ops-${role}`,
    role,
    sha256: sha256(secretOf(role)),
  })),
};

export async function startRig(more: Partial<AdminOptions> = {}, at = 0): Promise<Rig> {
  const starts: StartsOf = (name) => {
    const { cohorts = [] } = more.cutovers?.[name] ?? {};
    const own = cohorts.flatMap(({ name: cohort, percent }) =>
      percent === undefined ? [] : [[cohort, percent * 1000] as const],
    );
    return own.length === 0 ? undefined : Object.fromEntries(own);
  };
  const inner = createMemoryStore({ clock: systemClock, starts });
  const lines: Line[] = [];
  const log: Log = {
    info: (fields, message) => void lines.push({ level: "info", fields, message }),
    warn: (fields, message) => void lines.push({ level: "warn", fields, message }),
    error: (fields, message) => void lines.push({ level: "error", fields, message }),
  };
  const traffic = createTraffic({ cutovers: names, clock: systemClock });
  const instance = { id: "one", startedAt: new Date().toISOString() };
  const state: { connection: Rig["connection"] } = { connection: "up" };

  function reach<T>(work: () => Promise<T>): Promise<T> {
    if (state.connection === "down") return Promise.reject(new StoreUnavailable("cut off by the test"));
    return state.connection === "silent" ? new Promise<T>(() => {}) : work();
  }

  const store: Store = {
    kind: "memory",
    load: (which, lastGood) => reach(() => inner.load(which, lastGood)),
    apply: (command) => {
      const { action } = command.change;
      const lowers = action === "hold" || action === "rollback" || action === "reconciled";
      if (state.connection === "refusing" && lowers)
        return Promise.reject(new StoreUnavailable("refused by the test"));
      return reach(() => inner.apply(command));
    },
    subscribe: (onHint) => inner.subscribe(onHint),
    acknowledge: (record) => reach(() => inner.acknowledge(record)),
    leave: (id) => reach(() => inner.leave(id)),
    instances: () => reach(() => inner.instances()),
    roster: () => reach(() => inner.roster()),
    history: (name, limit, sinceMs) => reach(() => inner.history(name, limit, sinceMs)),
    annotate: (annotating) => reach(() => inner.annotate(annotating)),
    shared: (name, offer) => reach(() => inner.shared(name, offer)),
    proposal: (name) => reach(() => inner.proposal(name)),
    propose: (name, proposal, forMs) => reach(() => inner.propose(name, proposal, forMs)),
    withdraw: (name, id) => reach(() => inner.withdraw(name, id)),
    lease: (name, holder, ttlMs) => reach(() => inner.lease(name, holder, ttlMs)),
    release: (name, token) => reach(() => inner.release(name, token)),
    keep: (fence, text) => reach(() => inner.keep(fence, text)),
    kept: (lease) => reach(() => inner.kept(lease)),
    note: (name, what) => reach(() => inner.note(name, what)),
    writeNote: (name, what, writing) => reach(() => inner.writeNote(name, what, writing)),
    close: () => inner.close(),
  };
  const follower = createFollower({
    store,
    names,
    starts,
    instance,
    traffic: () => traffic.snapshot(),
    clock: systemClock,
    log,
    pollMs: 50,
  });
  await follower.start();
  const options: AdminOptions = {
    store,
    follower,
    cutovers,
    auth: "none",
    metrics: async () => ({
      contentType: "text/plain; version=0.0.4; charset=utf-8",
      parts: ["cutover_store_up 1\n"],
    }),
    traffic: () => traffic.snapshot(),
    instance,
    explain: (name, query) =>
      query.path === "/nowhere"
        ? undefined
        : {
            side: "legacy",
            reason: query.shopper === undefined ? "anonymous" : "bucket",
            bucket: query.shopper === undefined ? null : 4711,
            percent: 0,
            version: follower.current().states.get(name)?.version ?? 0,
            owner: query.key === undefined ? null : { side: null, by: "nobody" },
            journey: null,
            routes: [],
            sentence: "legacy, because.",
            past: null,
          },
    health: () => "ready",
    clock: systemClock,
    log,
    version: "1.2.3",
    ...more,
  };
  const server = await createAdminServer(options);
  const { url, port } = await server.listen({ host: "127.0.0.1", port: at });

  return {
    url,
    port,
    store: inner,
    lines,
    traffic,
    get connection() {
      return state.connection;
    },
    set connection(next) {
      state.connection = next;
    },
    async call(method, path, body, { role, ...init } = {}) {
      const headers = new Headers(init.headers);
      if (body !== undefined && !headers.has("content-type")) headers.set("content-type", "application/json");
      if (role !== undefined) headers.set("authorization", `Bearer ${secretOf(role)}`);
      const response = await fetch(url + path, {
        method,
        ...init,
        headers,
        ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      });
      const text = await response.text();
      return { status: response.status, headers: response.headers, text, json: parsed(text) };
    },
    reconfigure: (to) => server.reconfigure(to),
    async change(name, change) {
      await inner.apply({ name, change, actor: { name: "elsewhere", role: "admin" }, reason: "" });
    },
    async close() {
      await server.close();
      await follower.stop();
      await inner.close();
    },
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Waits until the condition holds. @throws Error after `ms` */
export async function until(holds: () => boolean | Promise<boolean>, ms = 5000): Promise<void> {
  const end = Date.now() + ms;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`it did not come to hold within ${ms} ms`);
    await new Promise((resume) => setTimeout(resume, 5));
  }
}
