import { expect, test } from "vitest";
import { createCrowd } from "../../../../src/base/waiting/crowd.ts";

interface Guest {
  readonly name: string;
  at: number;
}

function create() {
  const crowd = createCrowd<Guest>((guest, at) => {
    guest.at = at;
  });
  const come = (name: string): Guest => {
    const guest = { name, at: -1 };
    crowd.add(guest);
    return guest;
  };
  const names = () => crowd.all().map(({ name }) => name);
  return { crowd, come, names };
}

test("whoever leaves is gone, and the others are found where they are from then on", () => {
  const { crowd, come, names } = create();
  const [a, b, c] = [come("a"), come("b"), come("c")];
  expect(crowd.delete(a, a.at)).toBe(true);
  expect([a.at, crowd.count, names().sort()]).toEqual([-1, 2, ["b", "c"]]);
  for (const guest of [b, c]) expect(crowd.at(guest.at)).toBe(guest);
  expect(crowd.delete(c, c.at) && crowd.delete(b, b.at)).toBe(true);
  expect([crowd.count, names()]).toEqual([0, []]);
});

test("who is not there, or not there any more, leaves nobody's place", () => {
  const { crowd, come, names } = create();
  const [a, b] = [come("a"), come("b")];
  crowd.delete(a, a.at);
  expect(crowd.delete(a, a.at)).toBe(false);
  expect(crowd.delete({ ...b, name: "stranger" }, b.at)).toBe(false);
  expect([crowd.at(undefined), crowd.at(-1), crowd.at(7)]).toEqual([undefined, undefined, undefined]);
  expect(names()).toEqual(["b"]);
});
