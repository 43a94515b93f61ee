import { expect, test } from "vitest";
import { createRandom } from "../../../../src/demo/shoppers/random.ts";

const draw = (seed: number) => {
  const random = createRandom(seed);
  return [random.next(), random.between(1, 6), random.hex(8), random.chance(0.5), random.fork().next()];
};

test("one seed gives one sequence, another seed another", () => {
  expect(draw(7)).toEqual(draw(7));
  expect(draw(7)).not.toEqual(draw(8));
});

test("the sequence has mulberry32's values for seed 1, as computed apart in another language", () => {
  const random = createRandom(1);
  expect(random.next()).toBe(0.6270739405881613);
  expect(random.next()).toBe(0.002735721180215478);
});

test("whole numbers reach both ends, evenly", () => {
  const random = createRandom(42);
  const counts = new Map<number, number>();
  for (let i = 0; i < 6000; i += 1) {
    const value = random.between(1, 6);
    counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  expect([...counts.keys()].sort()).toEqual([1, 2, 3, 4, 5, 6]);
  for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(150);
});

test("what a fork draws does not change what follows", () => {
  const [one, other] = [createRandom(3), createRandom(3)];
  const fork = one.fork();
  fork.next();
  fork.next();
  other.fork();
  expect(one.next()).toBe(other.next());
});
