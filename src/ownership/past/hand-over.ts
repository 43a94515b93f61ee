/**
 * Notes on their way to the store: those of the pages, and those that another process has left. What the store does not
 * take goes back, and with a folder onto the disk of this host (kept/), where the next process finds it.
 */
import type { Kept } from "./kept/kept.ts";
import type { SentPlace } from "./kept/sent-file.ts";
import { type createPages, freshIn, notesOf } from "./pages.ts";
import type { PastNotes, PastStore } from "./port.ts";

interface HandOverOptions {
  readonly store: Pick<PastStore, "note">;
  readonly pages: ReturnType<typeof createPages>;
  readonly kept: Kept | undefined;
  readonly onLost: (notes: number) => void;
  /** Most notes of others, of each kind. */
  readonly most: number;
}

interface HandOver {
  /** Whatever waits. */
  count(): number;
  /** The end of the request is noted: its place goes back once that is handed over, or on the disk by itself. */
  untilThen(place: SentPlace): void;
  /** Hands in what another process has left. @throws the file system's error: then it is not kept on the disk */
  inherit(notes: PastNotes): Promise<void>;
  /** Never rejects; never twice at once. */
  handOver(): Promise<void>;
}

const nothing: PastNotes = { keys: [], doubts: [] };

export function createHandOver({ store, pages, kept, onLost, most }: HandOverOptions): HandOver {
  /** What its notes are told by on the disk. */
  const whose = {};
  let inherited = nothing;
  /** Handed over just now: whether the store takes them is not known. */
  let underWay = nothing;
  let places: SentPlace[] = [];
  const all = () => joined(underWay, joined(inherited, pages.all()));

  /** @returns whether they are on this host's disk, or nowhere but here as ever */
  async function spill(notes: PastNotes): Promise<boolean> {
    if (kept === undefined || sizeOf(notes) === 0) return true;
    return await kept.spill.keep(whose, notes, all).then(
      () => true,
      () => false,
    );
  }

  return {
    count: () => pages.count() + sizeOf(inherited) + places.length,
    untilThen: (place) => void places.push(place),
    async inherit({ keys, doubts }) {
      const notes = { keys: keys.slice(0, most), doubts: doubts.slice(0, most) };
      const lost = keys.length + doubts.length - sizeOf(notes);
      if (lost > 0) onLost(lost);
      inherited = joined(inherited, notes);
      await kept?.spill.keep(whose, notes, all);
    },
    async handOver() {
      const [taken, left, ended] = [pages.take(), inherited, places];
      [inherited, places] = [nothing, []];
      underWay = joined(left, notesOf(taken));
      try {
        const lost = sizeOf(underWay) === 0 ? 0 : await store.note(underWay);
        if (lost > 0) onLost(lost);
      } catch {
        const isKept = await spill(freshIn(taken));
        underWay = nothing;
        inherited = joined(left, inherited);
        pages.giveBack(taken, isKept);
        // What is not on the disk here stands in its place yet.
        if (isKept) giveBack(ended);
        else places = [...ended, ...places];
        return;
      }
      underWay = nothing;
      giveBack(ended);
      // All that was on the disk of this book's is in the store by now.
      if (sizeOf(inherited) === 0) await kept?.spill.done(whose);
    },
  };
}

function giveBack(places: readonly SentPlace[]): void {
  for (const place of places) place.giveBack();
}

function sizeOf({ keys, doubts }: PastNotes): number {
  return keys.length + doubts.length;
}

function joined(one: PastNotes, other: PastNotes): PastNotes {
  if (sizeOf(one) === 0) return other;
  return sizeOf(other) === 0
    ? one
    : { keys: [...one.keys, ...other.keys], doubts: [...one.doubts, ...other.doubts] };
}
