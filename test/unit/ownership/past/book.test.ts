/** What a process notes of requests with keys, and when it hands that over. */
import { describe, expect, test } from "vitest";
import { StoreUnavailable } from "../../../../src/base/errors.ts";
import { createPastBooks, type SentRequest } from "../../../../src/ownership/past/book.ts";
import { createPastInProcess } from "../../../../src/ownership/past/in-process.ts";
import { keyDigest, type PastNotes } from "../../../../src/ownership/past/port.ts";
import type { OwnerKey } from "../../../../src/ownership/port.ts";
import { createRecords } from "../../../../src/ownership/stores/records.ts";
import { createManualTime, epoch } from "../../../support/manual-time.ts";

const key = (name: string): OwnerKey => ({ key: name, claimed: true, ttlMs: 60_000 });

function sentWith(names: readonly string[], change: Partial<SentRequest> = {}): SentRequest {
  const decided = { side: "new", reason: "bucket", version: 4 } as const;
  const sent = { cutover: "checkout", route: "pay", isSafe: false, keys: names.map(key), sentAtMs: epoch };
  return { ...sent, ...decided, ...change };
}

function open({ most = 1000, owned = true } = {}) {
  const time = createManualTime();
  const store = createPastInProcess(createRecords({ clock: time }), time);
  const handed: PastNotes[] = [];
  let lost = 0;
  let isAway = false;
  const made = createPastBooks({
    store: {
      async note(notes) {
        if (isAway) throw new StoreUnavailable("away");
        handed.push(notes);
        return store.note(notes);
      },
    },
    isOwned: () => owned,
    clock: time,
    timers: time,
    onLost: (notes) => {
      lost += notes;
    },
    most,
  });
  // As the witness says it: what is told is sent now.
  const book: typeof made = {
    ...made,
    sent: (request, sent) => made.sent(request, { ...sent, sentAtMs: time.now() }),
    ended: (request, sent, ...rest) => made.ended(request, { ...sent, sentAtMs: time.now() }, ...rest),
  };
  const answer = (sent: SentRequest, end: Parameters<typeof book.ended>[2] = "answered") => {
    const request = {};
    book.sent(request, sent);
    book.ended(request, sent, end, []);
  };
  return {
    ...{ time, store, handed, book, answer },
    lost: () => lost,
    setAway(away: boolean) {
      isAway = away;
    },
    listed: async () =>
      (await store.inDoubt("checkout", 100)).map(({ digest, outcome }) => [digest, outcome]),
  };
}

test("a request that is answered within the second costs one note, and its like after it one answer", async () => {
  const { time, book, handed, answer, store } = open();
  const sentAtMs = time.now();
  answer(sentWith(["K"]));
  answer(sentWith(["K"], { reason: "owner" }));
  answer(sentWith(["K"], { reason: "owner" }));
  expect(handed).toEqual([]);
  await time.advance(1000);
  expect(handed).toHaveLength(1);
  expect(handed[0]?.keys).toHaveLength(1);
  const past = await store.of("checkout", keyDigest("K"));
  expect(past?.decisions.map(({ reason }) => reason)).toEqual(["bucket", "owner"]);
  expect(past?.answered).toEqual({ new: sentAtMs });
  answer(sentWith(["K"], { reason: "owner", isSafe: true }));
  await time.advance(5000);
  expect(handed).toHaveLength(1);
  await book.close();
});

test("what its answer has made is recorded with how the request was decided", async () => {
  const { time, book, store } = open();
  const request = {};
  const sent = sentWith([]);
  book.ended(request, sent, "answered", [{ key: "77", claimed: false, ttlMs: 60_000 }]);
  await time.advance(1000);
  const past = await store.of("checkout", keyDigest("77"));
  expect(past?.decisions).toMatchObject([{ side: "new", reason: "bucket", version: 4, route: "pay" }]);
  await book.close();
});

describe("a request that was not answered", () => {
  test("is in doubt within a second, with when it was sent, until one with its key is answered", async () => {
    const { time, listed, answer, book } = open();
    answer(sentWith(["K", "77"]), "reset");
    await time.advance(1000);
    expect(await listed()).toEqual([[keyDigest("K"), "reset"]]);
    answer(sentWith(["77"]), "put off");
    answer(sentWith(["77"], { isSafe: true }));
    answer(sentWith(["77"], { side: "legacy" }));
    await time.advance(1000);
    expect(await listed()).toHaveLength(1);
    answer(sentWith(["77"]));
    await time.advance(1000);
    expect(await listed()).toEqual([]);
    await book.close();
  });

  test("is in no doubt where a retry was answered before it was noted, or before it ended", async () => {
    const { time, listed, answer, book } = open({ owned: false });
    answer(sentWith(["K"]), "reset");
    await time.advance(500);
    answer(sentWith(["K"]));
    const slow = {};
    book.sent(slow, sentWith(["L"]));
    await time.advance(100);
    answer(sentWith(["L"]));
    await time.advance(1000);
    book.ended(slow, sentWith(["L"]), "timeout", []);
    await time.advance(1000);
    expect(await listed()).toEqual([]);
    await book.close();
  });

  test("that nothing was sent of, or that changes nothing, is in no doubt", async () => {
    const { time, listed, answer, book, handed } = open();
    answer(sentWith(["K"]), "unsent");
    answer(sentWith(["L"], { isSafe: true }), "reset");
    await time.advance(1000);
    expect(await listed()).toEqual([]);
    expect(handed.flatMap(({ keys }) => keys.map(({ digest }) => digest))).toEqual([keyDigest("L")]);
    await book.close();
  });

  test("is noted while it waits, and is in doubt once its process says no more of it", async () => {
    const { time, listed, book } = open();
    const [slow, put, lost] = [{}, {}, {}];
    book.sent(slow, sentWith(["slow"]));
    book.sent(put, sentWith(["put"]));
    book.sent(lost, sentWith(["lost"]));
    await time.advance(60_000);
    expect(await listed()).toEqual([]);
    book.ended(slow, sentWith(["slow"]), "answered", []);
    book.ended(put, sentWith(["put"]), "put off", []);
    await book.close();
    // From here on nobody speaks of the third.
    await time.advance(20_000);
    expect(await listed()).toEqual([[keyDigest("lost"), "instance_gone"]]);
  });
});

describe("while the store is away", () => {
  test("what is noted is kept, and told when it is back, what came first before what came after", async () => {
    const { time, listed, answer, book, setAway, store, lost } = open();
    setAway(true);
    answer(sentWith(["K"]), "reset");
    answer(sentWith(["L"]), "timeout");
    await time.advance(3000);
    answer(sentWith(["L"], { version: 5 }));
    await time.advance(3000);
    expect(await listed()).toEqual([]);
    setAway(false);
    await time.advance(1000);
    expect(await listed()).toEqual([[keyDigest("K"), "reset"]]);
    const past = await store.of("checkout", keyDigest("L"));
    expect(past?.decisions.map(({ version }) => version)).toEqual([4, 5]);
    expect(lost()).toBe(0);
    await book.close();
  });

  test("no more is kept than there is room for, and what is lost is counted", async () => {
    const { time, answer, book, setAway, store, lost, listed } = open({ most: 100 });
    setAway(true);
    for (let i = 0; i < 250; i += 1) answer(sentWith([`K${i}`]));
    await time.advance(2000);
    for (let i = 0; i < 250; i += 1) answer(sentWith([`D${i}`]), "reset");
    await time.advance(2000);
    // Of keys the last are kept; of what is in doubt the first.
    expect(lost()).toBe(400 + 150);
    setAway(false);
    await time.advance(1000);
    expect(await store.of("checkout", keyDigest("D249"))).toBeDefined();
    expect(await store.of("checkout", keyDigest("K0"))).toBeUndefined();
    expect(await listed()).toHaveLength(100);
    expect((await listed())[0]).toEqual([keyDigest("D0"), "reset"]);
    await book.close();
  });
});

test("notes that one store does not take keep those of another not waiting", async () => {
  const time = createManualTime();
  const taken: string[] = [];
  const book = createPastBooks(
    {
      store: {
        async note({ keys }) {
          if (keys.some(({ cutover }) => cutover === "away")) throw new StoreUnavailable("away");
          taken.push(...keys.map(({ cutover }) => cutover));
          return 0;
        },
      },
      ...{ isOwned: () => true, clock: time, timers: time, onLost: () => undefined },
    },
    (cutover) => cutover,
  );
  for (const cutover of ["away", "checkout"]) book.ended({}, sentWith(["K"], { cutover }), "answered", []);
  await time.advance(3000);
  expect(taken).toEqual(["checkout"]);
  await book.close();
});
