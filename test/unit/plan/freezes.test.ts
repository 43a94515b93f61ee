import { describe, expect, test } from "vitest";
import { createFreezes } from "../../../src/plan/steward/freezes.ts";
import { createMemoryStore } from "../../../src/state/store/in-process.ts";
import { createManualTime } from "../../support/manual-time.ts";
import { createRecordedLog } from "../../support/recorded-log.ts";

const ana = { by: "ana", role: "responder", reason: "Lebaran" } as const;
const budi = { by: "budi", role: "operator", reason: "over" } as const;
const minuteMs = 60_000;

function fleet() {
  const clock = createManualTime();
  const { advance } = clock;
  const state = { store: createMemoryStore({ clock }) };
  const log = createRecordedLog();
  const open = () =>
    createFreezes({
      store: {
        note: (...asked) => state.store.note(...asked),
        writeNote: (...asked) => state.store.writeNote(...asked),
      },
      clock,
      log,
    });
  return { clock, advance, open, state, log };
}

describe("a freeze of everything", () => {
  test("is in force on every instance from when it is written until its end", async () => {
    const { clock, advance, open } = fleet();
    const [one, two] = [open(), open()];
    const untilMs = clock.now() + 10 * minuteMs;
    expect(await one.freeze({ ...ana, untilMs })).toMatchObject({ kind: "done", changed: true });
    expect(two.known()).toBeUndefined();
    expect(await two.now()).toMatchObject({ untilMs, by: "ana", reason: "Lebaran" });
    expect(two.known()).toMatchObject({ untilMs });
    await advance(10 * minuteMs);
    expect(await two.now()).toBeUndefined();
    expect(two.known()).toBeUndefined();
  });

  test("a responder prolongs it, and does not end it sooner or lift it; an operator does", async () => {
    const { clock, open } = fleet();
    const freezes = open();
    const untilMs = clock.now() + 10 * minuteMs;
    await freezes.freeze({ ...ana, untilMs });
    expect(await freezes.freeze({ ...ana, untilMs })).toMatchObject({ changed: false });
    expect(await freezes.freeze({ ...ana, untilMs: untilMs - minuteMs })).toEqual({ kind: "forbidden" });
    expect(await freezes.lift(ana)).toEqual({ kind: "forbidden" });
    expect(await freezes.freeze({ ...ana, untilMs: untilMs + minuteMs })).toMatchObject({ changed: true });
    expect(await freezes.freeze({ ...budi, untilMs })).toMatchObject({ changed: true });
    expect(await freezes.lift(budi)).toMatchObject({ changed: true });
    expect(await freezes.now()).toBeUndefined();
    expect(await freezes.lift(budi)).toMatchObject({ changed: false });
    const { events } = await freezes.record();
    expect(events.map(({ event, by }) => `${event} by ${by}`)).toEqual([
      "lifted by budi",
      "frozen by budi",
      "frozen by ana",
      "frozen by ana",
    ]);
  });

  test("of two who freeze at once both are heard: the later writing stands over the earlier", async () => {
    const { clock, open } = fleet();
    const untilMs = clock.now() + 10 * minuteMs;
    const each = [open(), open(), open()].map((freezes, at) =>
      freezes.freeze({ ...budi, by: `op${at}`, untilMs: untilMs + at }),
    );
    expect((await Promise.all(each)).map((answer) => answer.kind)).toEqual(["done", "done", "done"]);
    expect((await open().record()).number).toBe(3);
  });

  test("a store that was emptied lifts nothing: whoever knew of it gives it back", async () => {
    const { clock, open, state, log } = fleet();
    const [one, two] = [open(), open()];
    const untilMs = clock.now() + 10 * minuteMs;
    await one.freeze({ ...ana, untilMs });
    state.store = createMemoryStore({ clock });
    expect(await two.now()).toBeUndefined();
    expect(await one.now()).toMatchObject({ untilMs });
    expect(await two.now()).toMatchObject({ untilMs });
    expect(log.lines.map(({ message }) => message)).toEqual([
      "the store has lost what was frozen: it is given back",
    ]);
  });

  test("what somebody has written there by hand and does not read freezes nothing", async () => {
    const { open, state } = fleet();
    await state.store.writeNote("*", "freeze", { text: "until Friday", ifRevision: 0 });
    expect(await open().now()).toBeUndefined();
  });
});
