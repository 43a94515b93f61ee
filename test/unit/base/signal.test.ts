import { expect, test } from "vitest";
import { createSignal } from "../../../src/base/signal.ts";

test("listeners hear what is told after they were added, in the order in which they were added", () => {
  const signal = createSignal<[name: string, count: number]>();
  const heard: string[] = [];
  signal.tell("lost", 0);
  signal.hear((name, count) => heard.push(`first ${name} ${count}`));
  signal.hear((name) => heard.push(`second ${name}`));
  signal.tell("told", 1);
  expect(heard).toEqual(["first told 1", "second told"]);
});
