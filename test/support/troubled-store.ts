/** A store that can be told to fail, to hang, to lose hints and to hold nonsense written by hand. */

import { StoreUnavailable } from "../../src/base/errors.ts";
import type { Announcement } from "../../src/state/rules/succession.ts";
import type { Loaded, Rejection, Store } from "../../src/state/store/port.ts";

export interface TroubledStore extends Store {
  /** How its calls go from now on; `hang` holds them until the next mood and lets them go by that. */
  mood(next: "well" | "fail" | "hang"): void;
  /** Whether hints get through. */
  hints(through: boolean): void;
  /** What the following loads report as written by hand and refused. */
  rejecting(rejections: readonly Rejection[]): void;
  /** What the following loads answer, made of the true answer. */
  answering(distort: (loaded: Loaded) => Loaded): void;
  /** Gives a hint that tells a change. */
  tell(news: Announcement): void;
  /** The calls so far, in order. */
  readonly calls: readonly string[];
  /** How many loads are under way. */
  loading(): number;
}

export function createTroubledStore(store: Store): TroubledStore {
  const calls: string[] = [];
  let mood: "well" | "fail" | "hang" = "well";
  let release: (() => void)[] = [];
  let through = true;
  let rejections: readonly Rejection[] = [];
  let distort = (loaded: Loaded) => loaded;
  let loading = 0;
  const listeners = new Set<(news?: Announcement) => void>();

  async function call<T>(name: string, work: () => Promise<T>): Promise<T> {
    calls.push(name);
    while (mood === "hang") await new Promise<void>((resume) => release.push(resume));
    if (mood === "fail") throw new StoreUnavailable("told to fail");
    return work();
  }

  return {
    kind: store.kind,
    async load(names, lastGood) {
      loading += 1;
      try {
        return await call("load", async () =>
          distort({ ...(await store.load(names, lastGood)), rejections }),
        );
      } finally {
        loading -= 1;
      }
    },
    apply: (command) => call("apply", () => store.apply(command)),
    subscribe(onHint) {
      listeners.add(onHint);
      const leave = store.subscribe((news) => void (through && onHint(news)));
      return () => {
        listeners.delete(onHint);
        leave();
      };
    },
    acknowledge: (record) => call("acknowledge", () => store.acknowledge(record)),
    leave: (id) => call("leave", () => store.leave(id)),
    instances: () => call("instances", () => store.instances()),
    roster: () => call("roster", () => store.roster()),
    history: (name, limit, sinceMs) => call("history", () => store.history(name, limit, sinceMs)),
    annotate: (annotating) => call("annotate", () => store.annotate(annotating)),
    shared: (name, offer) => call("shared", () => store.shared(name, offer)),
    proposal: (name) => call("proposal", () => store.proposal(name)),
    propose: (name, proposal, forMs) => call("propose", () => store.propose(name, proposal, forMs)),
    withdraw: (name, id) => call("withdraw", () => store.withdraw(name, id)),
    lease: (name, holder, ttlMs) => call("lease", () => store.lease(name, holder, ttlMs)),
    release: (name, token) => call("release", () => store.release(name, token)),
    keep: (fence, text) => call("keep", () => store.keep(fence, text)),
    kept: (lease) => call("kept", () => store.kept(lease)),
    note: (name, what) => call("note", () => store.note(name, what)),
    writeNote: (name, what, writing) => call("writeNote", () => store.writeNote(name, what, writing)),
    close: () => call("close", () => store.close()),
    mood(next) {
      mood = next;
      const held = release;
      release = [];
      for (const resume of held) resume();
    },
    hints: (now) => {
      through = now;
    },
    rejecting: (now) => {
      rejections = now;
    },
    answering: (now) => {
      distort = now;
    },
    tell(news) {
      for (const listener of listeners) listener(news);
    },
    calls,
    loading: () => loading,
  };
}
