import { stripVTControlCharacters } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { CutoverView } from "../../../../src/admin/api/cutover-view.ts";
import { noCutovers, statusView } from "../../../../src/cli/screen/status-view.ts";
import { colourStyle, plainStyle } from "../../../../src/cli/screen/terminal.ts";
import { widthOf } from "../../../../src/cli/screen/text.ts";

const zone = process.env.TZ;
beforeAll(() => {
  process.env.TZ = "Asia/Jakarta";
});
afterAll(() => {
  if (zone === undefined) delete process.env.TZ;
  else process.env.TZ = zone;
});

const idle = { clientErrors: 0, shares: null, inFlight: 0, oldestInFlightSeconds: null };
const silent = { requests: 0, errors: 0, errorRate: null, p50: null, p99: null, ...idle };
const shares = { "2xx": 0.98, "3xx": 0, "4xx": 0.015, "5xx": 0.005 };
const base: CutoverView = {
  name: "checkout",
  legacy: "social-shop",
  new: "marketplace",
  percent: 10,
  state: "open",
  version: 43,
  pinEpoch: 0,
  updatedAt: "2026-04-30T19:14:09Z",
  updatedBy: "ana",
  reason: "errors level for a day",
  scope: "fleet",
  traffic: {
    windowSeconds: 60,
    legacy: {
      requests: 12_345,
      errors: 62,
      errorRate: 62 / 12_345,
      p50: 0.072,
      p99: 0.1352,
      ...idle,
      shares,
    },
    new: {
      requests: 45,
      errors: 3,
      errorRate: 3 / 45,
      p50: 0.0004,
      p99: 0.0007,
      ...idle,
      inFlight: 7,
      oldestInFlightSeconds: 0.31,
    },
  },
  journeys: null,
  unfinished: null,
  instances: { live: 3, applied: 3, silent: [] },
  stillLegacy: [],
  warnings: [],
};
const options = { columns: 80, style: plainStyle, now: Date.parse("2026-04-30T19:19:10Z") };
const show = (view: Partial<CutoverView>) => statusView([{ ...base, ...view }], options);

test("the view tells percent, state, version, both sides' figures, instances, and the last change", () => {
  expect(show({})).toEqual([
    "checkout   10% on new   open   version 43   applied on 3 of 3 instances",
    "              share  requests  errors     rate      p50      p99  last 60 s",
    "  legacy        90%    12,345      62    0.50%    72 ms   135 ms  social-shop",
    "  new           10%        45       3    6.67%   0.4 ms   0.7 ms  marketplace",
    "  legacy  in flight 0 · 2xx 98.00%, 4xx 1.50%, 5xx 0.50%",
    "  new     in flight 7, oldest 0.3 s",
    "  changed 5 min ago, 2026-05-01 02:14:09 +07:00 by ana:",
    "    errors level for a day",
  ]);
});

test("what somebody must look at stands under the headline, each by itself, whoever wrote it", () => {
  const text = "new: 138 in flight, oldest 9 s, none answered for 9 s";
  const warnings = [
    { code: "hung", text },
    { code: "other", text: `a\u001b[2J ${"long ".repeat(16)}end` },
  ];
  expect(show({ warnings }).slice(1, 4)).toEqual([
    `  ! ${text}`,
    `  ! a\\u{1b}[2J ${"long ".repeat(12).trim()}`,
    "    long long long long end",
  ]);
});

test("the view offers no raise that what goes ahead holds, and no approval of one", () => {
  const after = { name: "cart", state: "open", percent: 10, heldBy: "cart" } as const;
  const why = "cart lets it go no further than 10%: raise cart first.";
  expect(show({ after })[1]).toBe(`  No raise: ${why}`);
  expect(show({ after: { ...after, percent: 11 } }).join("\n")).not.toContain("No raise");
  const proposal = {
    ...({ id: "f3a1c09b", name: "checkout", action: "set", force: false, percent: 50, version: 43 } as const),
    ...{ by: "eve", reason: "step 4", at: base.updatedAt, expiresAt: "2026-04-30T19:49:10Z" },
  };
  expect(show({ proposal }).join("\n")).toContain("cutover approve checkout f3a1c09b");
  const held = show({ proposal, after }).join(" ").replace(/\s+/g, " ");
  expect(held).not.toContain("cutover approve");
  expect(held).toContain(`would be refused: ${why}`);
});

const openSide = (open: number, oldestStartedAt: string | null) => ({
  open,
  atLeast: false,
  oldestStartedAt,
});
const journeys = {
  legacy: openSide(1204, "2026-04-30T17:10:00Z"),
  new: openSide(12, "2026-04-30T19:05:00Z"),
};

test("the view tells what is open on each side, and of what age, where that is known", () => {
  const before = show({}).length;
  const unfinished = {
    legacy: { ...openSide(1_000_000, "2026-04-01T17:10:00Z"), atLeast: true },
    new: openSide(0, null),
  };
  expect(show({ journeys, unfinished }).slice(4, -2)).toEqual([
    "  legacy  in flight 0 · 2xx 98.00%, 4xx 1.50%, 5xx 0.50%",
    "          journeys under way 1,204, oldest 2 h",
    "          unfinished orders at least 1.0M, oldest 29 days",
    "  new     in flight 7, oldest 0.3 s",
    "          journeys under way 12, oldest 14 min · unfinished orders 0",
  ]);
  expect(show({ journeys }).slice(4, -2)).toEqual([
    "  legacy  in flight 0 · 2xx 98.00%, 4xx 1.50%, 5xx 0.50%",
    "          journeys under way 1,204, oldest 2 h",
    "  new     in flight 7, oldest 0.3 s",
    "          journeys under way 12, oldest 14 min",
  ]);
  expect(show({ unfinished: null, journeys: null })).toHaveLength(before);
});

test("the view says after a rollback how far new has drained, and nothing of it where that is not known", () => {
  const drain = (change: Partial<CutoverView>) => show({ state: "rolled_back", percent: 0, ...change })[1];
  expect(drain({ journeys })).toBe("  draining: 12 journeys on new, oldest 14 min");
  expect(drain({ journeys: { ...journeys, new: openSide(1, "2026-04-30T19:19:00Z") } })).toBe(
    "  draining: 1 journey on new, oldest 10 s",
  );
  expect(drain({ journeys: { ...journeys, new: openSide(0, null) } })).toBe(
    "  Drained: no journey is under way on new.",
  );
  expect(drain({})).toBe("  New journeys start on legacy; latched.");
  expect(show({ journeys }).join("\n")).not.toContain("drain");
});

test("the view says that there is no traffic, on both sides or on the one", () => {
  const { windowSeconds, legacy } = base.traffic;
  const none = show({ traffic: { windowSeconds, legacy: silent, new: silent } });
  expect(none[2]).toBe("  legacy        90%         –       –        –        –        –  social-shop");
  expect(none).toContain("  no traffic in the last 60 s");
  expect(show({ traffic: { windowSeconds, legacy, new: silent } })).toContain(
    "  new: no traffic in the last 60 s",
  );
});

test("a side that has not answered yet is not called one without traffic", () => {
  const { windowSeconds, legacy } = base.traffic;
  const waiting = { ...silent, inFlight: 138, oldestInFlightSeconds: 9.2 };
  const view = show({ traffic: { windowSeconds, legacy, new: waiting } });
  expect(view.join("\n")).not.toContain("no traffic");
  expect(view).toContain("  new     in flight 138, oldest 9 s");
});

test("the view says of each state but open what it means and what ends it", () => {
  expect(show({ state: "held" }).join("\n")).toContain(
    "HELD   version 43   applied on 3 of 3 instances\n" +
      "  Nothing raises it before: cutover resume checkout --reason TEXT",
  );
  expect(show({ state: "rolled_back", percent: 0 }).join("\n")).toContain(
    "  New journeys start on legacy; latched.\n  Nothing raises it before: cutover resume checkout --reason TEXT",
  );
  expect(show({ state: "closed", percent: 100 }).join("\n")).toContain("Legacy is closed for good.");
});

test("the view marks instances that have not applied the state, and that none is live", () => {
  expect(show({ instances: { live: 3, applied: 2, silent: [] } })[0]).toContain(
    "! applied on 2 of 3 instances",
  );
  expect(show({ instances: { live: 0, applied: 0, silent: [] } })[0]).toContain("! no instance is live");
});

test("the view says of a cutover at version 0 that it was never changed", () => {
  expect(show({ version: 0, updatedAt: "", updatedBy: "", reason: "" }).at(-1)).toBe("  never changed");
});

test("the view says where no reason was given", () => {
  expect(show({ reason: "" }).at(-1)).toBe(
    "  changed 5 min ago, 2026-05-01 02:14:09 +07:00 by ana, no reason given",
  );
});

test("the view says what to do where no cutover is configured", () => {
  expect(statusView([], options)).toEqual([noCutovers]);
});

test("the view keeps every line within the width whatever the names, figures and reason are", () => {
  const huge = {
    requests: 9_999_999,
    errors: 9_999_999,
    errorRate: 1,
    p50: 123.4,
    p99: 999.9,
    ...idle,
    shares,
    inFlight: 9_999_999,
    oldestInFlightSeconds: 9999,
  };
  const long: CutoverView = {
    ...base,
    name: "c".repeat(63),
    legacy: "l".repeat(63),
    new: "支".repeat(40),
    percent: 99.999,
    state: "rolled_back",
    version: 123_456_789,
    updatedBy: "o".repeat(63),
    reason: "word ".repeat(100),
    traffic: { windowSeconds: 60, legacy: huge, new: huge },
    instances: { live: 1000, applied: 999, silent: [] },
  };
  for (const columns of [40, 60, 80, 100, 140]) {
    const lines = statusView([long], { ...options, columns });
    expect(lines.filter((line) => widthOf(line) > columns)).toEqual([]);
  }
});

test("the view escapes what others wrote", () => {
  const lines = show({ reason: "\u001b[2Jgone", updatedBy: "a\u202eb", new: "m\u0007" }).join("\n");
  for (const harmful of ["\u0007", "\u001b", "\u202e"]) expect(lines).not.toContain(harmful);
  expect(lines).toContain("\\u{1b}[2Jgone");
});

test("colour adds nothing that the words do not say", () => {
  const view: CutoverView = { ...base, state: "held", instances: { live: 3, applied: 2, silent: [] } };
  const coloured = statusView([view], { ...options, style: colourStyle }).join("\n");
  expect(coloured).toContain("\u001b[7mHELD\u001b[27m");
  expect(stripVTControlCharacters(coloured)).toBe(statusView([view], options).join("\n"));
});

test("at 80, 60 and 40 columns no word is broken, and what there is no room for beside is below", () => {
  const underWay = { legacy: openSide(120_400, "2026-04-30T17:10:00Z"), new: openSide(12, null) };
  const warnings = [
    {
      code: "instances_silent",
      text: "applied on 2 of 3, one silent for 12 s, starts new journeys on new until 2026-04-30T19:19:28.000Z: shop-3:8080 at shop-3:9900, pid 77",
    },
  ];
  const view: CutoverView = {
    ...base,
    state: "rolled_back",
    percent: 0,
    reason: "errors level for a day, then double charges of some orders at the provider of payments",
    journeys: underWay,
    unfinished: underWay,
    warnings,
  };
  const words = (columns: number) =>
    statusView([view], { ...options, columns })
      .join(" ")
      .split(/[\s·]+/);
  const whole = new Set(words(200));
  for (const columns of [80, 60, 40]) {
    const lines = statusView([view], { ...options, columns });
    expect(lines.filter((line) => widthOf(line) > columns)).toEqual([]);
    const told = new Set(words(columns));
    for (const word of ["12,345", "120,400,", "shop-3:8080", "02:19:28:", "--reason", "provider"]) {
      expect(told, `${word} at ${columns}`).toContain(word);
    }
    expect(
      [...told].filter((word) => !whole.has(word) && !/^(?:requests|errors|rate|p50|p99|–)$/.test(word)),
    ).toEqual([]);
  }
});

test("at 100% status says what still goes to legacy, and below that it does not", () => {
  const stillLegacy = [
    { reason: "journey", text: "12 journeys under way that began there" },
    { reason: "visit", text: "visits that began there, until 2026-04-30T19:44:09.000Z at the latest" },
  ];
  expect(show({ stillLegacy }).join("\n")).not.toContain("still to legacy");
  const lines = show({ stillLegacy, percent: 100 });
  const at = lines.findIndex((line) => line.includes("still to legacy"));
  expect(lines.slice(at, at + 2)).toEqual([
    "  still to legacy: 12 journeys under way that began there; visits that began",
    "    there, until 02:44:09 at the latest",
  ]);
  expect(show({ stillLegacy: [], percent: 100 }).join("\n")).not.toContain("still to legacy");
});

test("the plan stands in a line, and its date in another, on the clock of whoever reads them", () => {
  const at = "2026-06-01T00:00:00.000Z";
  const lines = show({
    plan: {
      ...{ status: "running", percent: 5, next: 10, waiting: [], finish: null },
      sentence: `at 5%, next 10%: waits for window (weekend); finish ${at}, the deadline is on time`,
    },
    deadline: { at, reason: "the law", against: "on time" },
  }).join("\n");
  expect(lines).toMatch(/plan: at 5%, next 10%: waits for window \(weekend\);/);
  expect(lines).toMatch(/deadline: .*the law/);
  // Moments are on this machine's clock.
  expect(lines).not.toContain(at);
});
