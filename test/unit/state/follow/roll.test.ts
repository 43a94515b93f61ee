import { expect, test } from "vitest";
import { createRoll } from "../../../../src/state/follow/roll.ts";
import { createManualTime } from "../../../support/manual-time.ts";

const start = Date.parse("2025-03-01T00:00:00Z");
const member = (id: string, seenAtMs: number, more = {}) => ({
  ...{ id, startedAt: "2025-02-28T00:00:00Z", versions: { checkout: 1 }, seenAtMs },
  ...more,
});

test("an instance that fell silent is known after the store has forgotten it, for an hour", async () => {
  const time = createManualTime();
  const roll = createRoll(time);
  const see = (...members: ReturnType<typeof member>[]) =>
    roll.saw({ nowMs: start + time.monotonic(), members });
  const known = () => roll.members().map(({ id, isLapsed }) => `${id}${isLapsed ? " silent" : ""}`);
  const at = () => start + time.monotonic();
  const first = at();
  see(member("a", first), member("c", first));
  expect(known()).toEqual(["a", "c"]);
  await time.advance(12_000);
  see(member("a", at()), member("c", first));
  expect(known()).toEqual(["a", "c silent"]);
  await time.advance(60_000);
  see(member("a", at()));
  expect(known()).toEqual(["a", "c silent"]);
  await time.advance(3_600_000);
  see(member("a", at()));
  expect(known()).toEqual(["a"]);
});

test("an instance that left is not known any more, nor one that another process has taken the place of", () => {
  const time = createManualTime();
  const roll = createRoll(time);
  const place = { name: "shop-3:8080", address: "shop-3:9900" };
  roll.saw({ nowMs: start, members: [member("a", start), member("b", start), member("c", start, place)] });
  const anew = member("d", start + 9000, { ...place, startedAt: new Date(start + 5000).toISOString() });
  roll.saw({ nowMs: start + 9000, members: [member("a", start + 9000), member("c", start, place), anew] });
  expect(roll.members().map(({ id }) => id)).toEqual(["a", "d"]);
});
