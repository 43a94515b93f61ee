/**
 * What the store asks of Redis: the names of its keys, and each script of ./scripts with its keys and its arguments.
 *
 * The scripts that judge or write a cutover get the rule book of state/rules/model.ts written into their source, so that
 * every caller meets the same rules. The braces of a key are literal: a Cluster hashes what is inside, and the keys of one
 * script must hash alike.
 */
import { readFileSync } from "node:fs";
import { type Call, readScript, type Script } from "../../../redis/calls.ts";
import { type InstanceRecord, rememberMs } from "../../rules/completion.ts";
import type { HandEditVerdict, View } from "../../rules/hand-edit.ts";
import { cutoverOf, type Fence } from "../../rules/leases/lease.ts";
import type { NoteName, NoteWriting } from "../../rules/leases/note.ts";
import { type CutoverState, roles, rules } from "../../rules/model.ts";
import { type CohortPercents, maxThousandths } from "../../rules/percent.ts";
import type { Annotating, Command } from "../port.ts";

/** Reads the files; once a store. */
export function loadScripts() {
  const book = JSON.stringify({ ...rules, roles, maxThousandths });
  const common = readFileSync(new URL("./scripts/common.lua", import.meta.url), "utf8");
  const prelude = `local rules = cjson.decode('${book}')\n${common}`;
  const script = (name: string, before = "") =>
    readScript(new URL(`./scripts/${name}.lua`, import.meta.url), before);
  return {
    read: script("read", prelude),
    apply: script("apply", prelude),
    settle: script("settle", prelude),
    annotate: script("annotate", prelude),
    lease: script("lease", prelude),
    note: script("note", prelude),
    instances: script("instances"),
    share: script("share"),
    withdraw: script("withdraw"),
  } as const satisfies Record<string, Script>;
}

interface Keys {
  /** The channel of changes. */
  readonly changes: string;
  readonly index: string;
  readonly roster: string;
  audit(name: string): string;
  /** What is typed by who does not know of the braces. */
  stray(name: string): string;
  /** The open proposal. */
  proposal(name: string): string;
  /** The reasons given later, a stream beside the audit. */
  annotations(name: string): string;
  instance(id: string): string;
  lease(name: string): string;
  note(name: string, what: NoteName): string;
}

interface ApplyArguments {
  readonly deadline: number;
  /** The change's own id, and whether it may have been sent before. */
  readonly write: string;
  readonly again: boolean;
  readonly starts: CohortPercents | undefined;
  readonly command: Omit<Command, "lastGood" | "id">;
}

/** The store's calls, each as its script says. `view` is what was judged: the script compares it with what is there. */
export interface Calls {
  readonly keys: Keys;
  read(name: string, starts: CohortPercents | undefined, followed?: number): Call;
  apply(view: View, args: ApplyArguments): Call;
  adopt(
    view: View,
    name: string,
    write: string,
    found: HandEditVerdict & { kind: "adopt" },
    starts: CohortPercents | undefined,
  ): Call;
  restore(
    view: View,
    name: string,
    state: CutoverState | undefined,
    show: boolean,
    starts: CohortPercents | undefined,
  ): Call;
  annotate(deadline: number, write: string, annotating: Annotating): Call;
  lease(name: string, args: LeaseArguments): Call;
  keep(fence: Fence, text: string): Call;
  writeNote(name: string, what: NoteName, args: WriteNoteArguments): Call;
  remember(record: InstanceRecord): Call;
  roster(): Call;
  share(name: string, offer: string): Call;
  withdraw(name: string, id: string): Call;
}

interface WriteNoteArguments extends NoteWriting {
  readonly deadline: number;
  readonly again: boolean;
}

export interface LeaseArguments {
  readonly deadline: number;
  readonly take?: { readonly holder: string; readonly ttlMs: number };
  readonly release?: { readonly token: number };
}

export function createCalls(prefix: string): Calls {
  const scripts = loadScripts();
  const visible = (name: string) => `${prefix}:{${name}}`;
  /** KEYS of every script that touches a cutover: the visible hash, the accepted state, the audit. */
  const cutover = (name: string) => [visible(name), `${visible(name)}:accepted`, `${visible(name)}:audit`];
  const seenIn = ({ visible, accepted }: View) => ({ visible: visible.digest, accepted: accepted.digest });
  /** `checkout/guard` hashes as `checkout` does. */
  const leaseKey = (name: string) => `${prefix}:lease:${name.replace(/^[^/]+/, "{$&}")}`;
  const keys: Keys = {
    changes: `${prefix}:changes`,
    index: `${prefix}:{instances}:index`,
    roster: `${prefix}:{instances}:roster`,
    stray: (name) => `${prefix}:${name}`,
    audit: (name) => `${visible(name)}:audit`,
    proposal: (name) => `${visible(name)}:proposal`,
    annotations: (name) => `${visible(name)}:annotations`,
    instance: (id) => `${prefix}:instance:${id}`,
    lease: leaseKey,
    note: (name, what) => `${visible(name)}:${what}`,
  };
  return {
    keys,
    read: (name, starts, followed) => ({
      script: scripts.read,
      keys: cutover(name),
      args: { followed, starts },
    }),
    apply(view, args) {
      const { name, fence } = args.command;
      const fenced = fence === undefined ? [] : [leaseKey(fence.lease)];
      return {
        script: scripts.apply,
        keys: [...cutover(name), keys.proposal(name), ...fenced],
        args: { seen: seenIn(view), channel: keys.changes, ...args },
      };
    },
    adopt: (view, name, write, { routing, rejected }, starts) => ({
      script: scripts.settle,
      keys: cutover(name),
      args: { seen: seenIn(view), starts, adopt: { routing, rejected, write, channel: keys.changes, name } },
    }),
    restore: (view, name, state, show, starts) => ({
      script: scripts.settle,
      keys: cutover(name),
      args: { seen: seenIn(view), starts, restore: { state, show } },
    }),
    annotate: (deadline, write, { name, ...annotation }) => ({
      script: scripts.annotate,
      keys: [...cutover(name), keys.annotations(name)],
      args: { deadline, write, ...annotation },
    }),
    lease: (name, args) => ({
      script: scripts.lease,
      keys: [...cutover(cutoverOf(name)), leaseKey(name)],
      args: { ...args },
    }),
    keep: ({ lease, token }, text) => ({
      script: scripts.lease,
      keys: [...cutover(cutoverOf(lease)), leaseKey(lease)],
      args: { keep: { token, text } },
    }),
    writeNote(name, what, args) {
      const fenced = args.fence === undefined ? [] : [leaseKey(args.fence.lease)];
      return {
        script: scripts.note,
        keys: [...cutover(name), keys.note(name, what), ...fenced],
        args: { ...args },
      };
    },
    remember(record) {
      const { traffic: _, guard: __, seenAt: ___, ...brief } = record;
      const remember = { id: record.id, brief: JSON.stringify(brief), forMs: rememberMs(record) };
      return { script: scripts.instances, keys: [keys.index, keys.roster], args: { remember } };
    },
    roster: () => ({ script: scripts.instances, keys: [keys.index, keys.roster] }),
    share: (name, offer) => ({ script: scripts.share, keys: [`${prefix}:shared:${name}`], args: { offer } }),
    withdraw: (name, id) => ({ script: scripts.withdraw, keys: [keys.proposal(name)], args: { id } }),
  };
}
