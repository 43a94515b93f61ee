import { expect, test } from "vitest";
import { instancesView } from "../../../../../src/cli/commands/read/instances.ts";

const now = Date.parse("2025-03-01T12:00:00Z");
const one = {
  ...{ id: "1f0c77ab", name: "shop-1:8080", address: "shop-1:9900", pid: 4711 },
  startedAt: "2025-03-01T08:00:00.000Z",
  seenAt: "2025-03-01T12:00:00.004Z",
  inFlight: {},
  versions: { checkout: 43, returns: 0 },
  config: { hash: "9f86d081884c", loadedAt: "2024-01-01T00:00:00.000Z", refusedAt: null },
};
const ofOlderProgram = { ...one, id: "0a", name: "0a", address: null, pid: null, config: null };

test("each instance is told by what a person finds it by, no line over the width and no word broken", () => {
  for (const columns of [80, 60, 40]) {
    const lines = instancesView([one, ofOlderProgram], columns, now);
    expect(lines.filter((line) => line.length > columns)).toEqual([]);
    for (const piece of [
      "shop-1:8080",
      "id 1f0c77ab",
      "admin shop-1:9900",
      "pid 4711",
      "up 4 h",
      "checkout v43",
    ]) {
      expect(lines.join("\n")).toContain(piece);
    }
    expect(lines.join("\n")).toMatch(/^0a {2}up 4 h/m);
    expect(lines.at(-1)).toBe("2 instances heard of");
  }
});

test("configurations that differ and a reload that was refused stand out", () => {
  const other = {
    ...one,
    config: { ...one.config, hash: "aaaaaaaaaaaa", refusedAt: "2025-03-01T11:00:00Z" },
  };
  const lines = instancesView([one, other], 80, now);
  expect(lines.join("\n")).toMatch(/! reload refused at \d\d:\d\d:\d\d/);
  expect(lines.at(-1)).toBe("2 instances heard of, by 2 different configurations");
});

test("a frozen instance was on no line of the list at night, only counted nowhere", () => {
  const frozen = {
    ...{ id: "c3", name: "shop-3:8080", address: "shop-3:9900", pid: 7003 },
    since: "2025-03-01T11:59:48.000Z",
    versions: { checkout: 42 },
  };
  const lines = instancesView([one], 120, now, [frozen]);
  expect(lines.join("\n")).toMatch(
    /^! shop-3:8080 {2}id c3 {2}admin shop-3:9900 {2}pid 7003 {2}silent since \d\d:\d\d:\d\d {2}checkout v42$/m,
  );
  expect(lines.at(-1)).toBe("1 instance heard of, 1 silent");
});
