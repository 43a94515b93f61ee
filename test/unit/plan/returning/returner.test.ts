/** The loop around a gradual return, on a memory store and by a clock that a test sets. */
import { expect, test } from "vitest";
import { begunReturn } from "../../../../src/plan/returning/return.ts";
import { createReturner } from "../../../../src/plan/returning/returner.ts";
import { createMemoryStore } from "../../../../src/state/store/in-process.ts";
import { command, setTo, stateOf } from "../../../support/commands.ts";
import { createManualTime } from "../../../support/manual-time.ts";
import { createRecordedLog } from "../../../support/recorded-log.ts";

const name = "checkout";

test("a return whose leader has read the change before the return was written down goes on all the same", async () => {
  const time = createManualTime();
  const store = createMemoryStore({ clock: time });
  const lease = `${name}/watch`;
  const leased = await store.lease(lease, "leader", 3_600_000);
  if (!leased.granted) throw new Error("the lease is not granted");
  const fence = { lease, token: leased.token };
  let state = await stateOf(store, name);
  const leader = createReturner({
    ...{ name, store, clock: time, log: createRecordedLog() },
    leadership: () => ({ fence: () => fence, refused: () => {} }),
    state: () => state,
  });
  const look = async () => {
    state = await stateOf(store, name);
    await leader.look();
  };
  await store.apply(command(name, setTo(100)));
  await look();
  // Another instance has lowered it, and waits for everybody to apply that before it writes down the rest.
  await store.apply(command(name, setTo(95)));
  await look();
  const record = begunReturn(undefined, {
    ...{ id: "r", kind: "lower", by: "ana", reason: "", at: "", overMs: 12_000, made: 1 },
    parts: [{ from: 100_000, to: 40_000 }],
    version: state.version,
    state,
  });
  const { revision } = await store.note(name, "return");
  await store.writeNote(name, "return", { text: JSON.stringify(record), ifRevision: revision });
  for (let second = 0; second < 20; second += 1) {
    await time.advance(1000);
    await look();
  }
  expect(state.percentThousandths).toBe(40_000);
});
