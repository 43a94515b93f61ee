/** Lists, as people see and change them. */
import type { Clock } from "../base/clock.ts";
import { changeId, changeList } from "./change.ts";
import { digestOf, highOf, lowOf, partOf } from "./digest.ts";
import type { ListKeeper } from "./keeper.ts";
import { isIn, wordsOf } from "./members.ts";
import type { ListDesk, ListHead, ListLook, ListPlace } from "./port.ts";

interface Declared {
  readonly members: "plain" | "digests";
  readonly approval?: { readonly over: number; readonly ttl: number } | undefined;
}

interface DeskOptions {
  readonly place: ListPlace;
  readonly keeper: Pick<ListKeeper, "loaded" | "refresh">;
  /** The lists of the configuration in force. */
  readonly declared: () => Readonly<Record<string, Declared>>;
  readonly clock: Clock;
}

/** Bytes; a shopper's name of more is none. */
const longestMember = 512;

export function createListDesk({ place, keeper, declared, clock }: DeskOptions): ListDesk {
  function of(name: string): Declared {
    const found = Object.hasOwn(declared(), name) ? declared()[name] : undefined;
    if (found === undefined) throw new Error("no such list");
    return found;
  }
  const lookOf = (name: string, head: ListHead): ListLook => ({
    name,
    takes: of(name).members,
    ...head,
    loaded: keeper.loaded(name) ?? 0,
  });

  return {
    names: () => Object.keys(declared()),
    look: async (name) => lookOf(name, await place.head(name)),
    history: (name, limit) => place.history(name, limit),
    async has(name, member) {
      const [digest] = digestsOf([member], of(name).members) ?? [];
      if (digest === undefined) return undefined;
      const { bytes } = await place.part(name, partOf(digest));
      const words = wordsOf(bytes, partOf(digest)) ?? new Uint32Array(0);
      return isIn(words, highOf(digest), lowOf(digest));
    },

    async change(name, { add, remove, form, by, reason }) {
      const { members: takes, approval } = of(name);
      if (takes === "digests" && form === "plain") {
        return { kind: "invalid", why: "this list takes digests alone: the SHA-256 of each member" };
      }
      const added = digestsOf(add, form ?? takes);
      const removed = digestsOf(remove, form ?? takes);
      if (added === undefined || removed === undefined) {
        const expected = { plain: "1 to 512 bytes each", digests: "64 or 16 hex digits each" };
        return { kind: "invalid", why: `expected members of ${expected[form ?? takes]}` };
      }
      const change = { add: added, remove: removed, reason };
      let proposedBy: string | undefined;
      if (approval !== undefined && added.length + removed.length > approval.over) {
        const id = changeId(change);
        const first = await place.waiting(name, id);
        if (first === undefined || first.by === by) {
          const [now, ends] = [clock.now(), clock.now() + approval.ttl];
          const [at, expiresAt] = [new Date(now).toISOString(), new Date(ends).toISOString()];
          const waiting = { id, by, reason, at, expiresAt };
          await place.wait(name, waiting, approval.ttl);
          return { kind: "waits", waiting };
        }
        proposedBy = first.by;
      }
      const who = proposedBy === undefined ? by : `${proposedBy}, approved by ${by}`;
      const { head, changed } = await changeList(place, name, { ...change, by: who });
      if (changed) await keeper.refresh();
      return { kind: "changed", look: lookOf(name, head), changed, proposedBy };
    },
  };
}

/** @returns as hex, 16 digits each; `undefined` when one of the texts is no member */
function digestsOf(members: readonly string[], form: "plain" | "digests"): string[] | undefined {
  const digests: string[] = [];
  for (const member of members) {
    if (form === "digests") {
      if (!/^(?:[0-9a-fA-F]{16}|[0-9a-fA-F]{64})$/.test(member)) return undefined;
      digests.push(member.slice(0, 16).toLowerCase());
    } else {
      const bytes = Buffer.from(member, "utf8");
      if (bytes.length === 0 || bytes.length > longestMember) return undefined;
      digests.push(digestOf(bytes.toString("latin1")));
    }
  }
  return digests;
}
