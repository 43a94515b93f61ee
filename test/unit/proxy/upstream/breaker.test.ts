import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createBreaker, type Pass } from "../../../../src/proxy/upstream/breaker.ts";
import { createManualTime } from "../../../support/manual-time.ts";

function createFixture(options: { failures?: number; openMs?: number; probes?: number } = {}) {
  const time = createManualTime();
  const changes: string[] = [];
  const breaker = createBreaker({
    failures: 3,
    openMs: 5000,
    probes: 1,
    ...options,
    clock: time,
    onChange: (to, from) => changes.push(`${from} → ${to}`),
  });
  const passed = (): Pass => {
    const pass = breaker.admit();
    if (pass === undefined) throw new Error("turned away");
    return pass;
  };
  const fail = (times: number) => {
    for (let i = 0; i < times; i++) breaker.tell(passed(), "failed");
  };
  return { time, breaker, changes, passed, fail };
}

describe("a closed breaker", () => {
  test("opens when as many connects in a row failed as are configured, and not one sooner", () => {
    const { breaker, fail, changes } = createFixture();
    fail(2);
    expect(breaker.state).toBe("closed");
    fail(1);
    expect(breaker.state).toBe("open");
    expect(breaker.admit()).toBeUndefined();
    expect(changes).toEqual(["closed → open"]);
  });

  test("begins the count anew with a connect that was made", () => {
    const { breaker, fail, passed } = createFixture();
    fail(2);
    breaker.tell(passed(), "made");
    fail(2);
    expect(breaker.state).toBe("closed");
  });

  test("counts nothing for a request that ended before its connect did", () => {
    const { breaker, fail, passed } = createFixture();
    fail(2);
    breaker.tell(passed(), "unknown");
    fail(1);
    expect(breaker.state).toBe("open");
  });
});

describe("an open breaker", () => {
  test("lets nobody through for its time, says how long that is, and then tries one", async () => {
    const { breaker, fail, time } = createFixture();
    fail(3);
    await time.advance(4999);
    expect([breaker.isShut, breaker.openForMs, breaker.admit()]).toEqual([true, 1, undefined]);
    await time.advance(1);
    expect([breaker.isShut, breaker.openForMs]).toEqual([false, 0]);
    expect(breaker.admit()).toBeDefined();
    expect(breaker.state).toBe("half_open");
    expect(breaker.admit()).toBeUndefined();
  });

  test("hears nothing of requests let through before it opened", async () => {
    const { breaker, fail, passed, time } = createFixture();
    const early = [passed(), passed(), passed()];
    fail(3);
    for (const pass of early) breaker.tell(pass, "failed");
    await time.advance(5000);
    const probe = passed();
    breaker.tell(early[0] ?? 0, "made");
    expect(breaker.state).toBe("half_open");
    breaker.tell(probe, "made");
    expect(breaker.state).toBe("closed");
  });
});

describe("a half-open breaker", () => {
  test("opens for its time again when a probe fails", async () => {
    const { breaker, fail, passed, time, changes } = createFixture();
    fail(3);
    await time.advance(5000);
    breaker.tell(passed(), "failed");
    expect(breaker.openForMs).toBe(5000);
    await time.advance(5000);
    breaker.tell(passed(), "made");
    expect(changes).toEqual([
      "closed → open",
      "open → half_open",
      "half_open → open",
      "open → half_open",
      "half_open → closed",
    ]);
  });

  test("closes after as many connects as it has probes, no more at once", async () => {
    const { breaker, fail, passed, time } = createFixture({ probes: 2 });
    fail(3);
    await time.advance(5000);
    const [first, second] = [passed(), passed()];
    expect(breaker.isShut).toBe(true);
    breaker.tell(first, "made");
    expect([breaker.state, breaker.isShut]).toEqual(["half_open", true]);
    breaker.tell(second, "made");
    expect([breaker.state, breaker.isShut]).toEqual(["closed", false]);
  });

  test("takes the place back of a probe whose client left", async () => {
    const { breaker, fail, passed, time } = createFixture();
    fail(3);
    await time.advance(5000);
    breaker.tell(passed(), "unknown");
    expect(breaker.isShut).toBe(false);
    breaker.tell(passed(), "made");
    expect(breaker.state).toBe("closed");
  });
});

describe("with health checks", () => {
  test("is open while the upstream is unwell, without probes, and closes when it is well", async () => {
    const { breaker, time } = createFixture();
    breaker.foundUnwell();
    await time.advance(60_000);
    expect([breaker.state, breaker.admit()]).toEqual(["open", undefined]);
    breaker.foundWell();
    expect([breaker.state, breaker.isShut]).toEqual(["closed", false]);
  });

  test("stays open past its own time when it opened first and the upstream was found unwell then", async () => {
    const { breaker, fail, time, changes } = createFixture();
    fail(3);
    breaker.foundUnwell();
    await time.advance(60_000);
    expect(breaker.admit()).toBeUndefined();
    expect(changes).toEqual(["closed → open"]);
  });
});

test("the breaker keeps to its specification whatever happens", async () => {
  const seed = Number(process.env.SEED ?? Date.now());
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.constant({ kind: "ask" } as const) },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant("tell" as const),
        which: fc.nat(),
        connect: fc.constantFrom("made" as const, "failed" as const, "unknown" as const),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 8000 }) }),
    },
  );
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 3 }),
      fc.array(step, { maxLength: 200 }),
      async (failures, probes, steps) => {
        const { breaker, time } = createFixture({ failures, probes });
        let now = 0;
        let openedAt = Number.NEGATIVE_INFINITY;
        let before = breaker.state;
        let inARow = 0;
        let probing: Pass[] = [];
        const open: Pass[] = [];
        for (const each of steps) {
          if (each.kind === "wait") {
            now += each.ms;
            await time.advance(each.ms);
          } else if (each.kind === "ask") {
            const pass = breaker.admit();
            if (pass === undefined) {
              expect(breaker.state).not.toBe("closed");
              if (breaker.state === "open") expect(now - openedAt).toBeLessThan(5000);
            } else {
              open.push(pass);
              if (before === "open") expect(now - openedAt).toBeGreaterThanOrEqual(5000);
              if (breaker.state === "half_open") probing.push(pass);
            }
          } else if (open.length > 0) {
            const [pass = 0] = open.splice(each.which % open.length, 1);
            breaker.tell(pass, each.connect);
            if (each.connect === "unknown" && probing.includes(pass))
              probing.splice(probing.indexOf(pass), 1);
            if (before === "closed" && breaker.state === "open") {
              expect(each.connect).toBe("failed");
              expect(inARow + 1).toBeGreaterThanOrEqual(failures);
            }
            if (before === "closed" && each.connect === "made") inARow = 0;
            if (before === "closed" && each.connect === "failed") inARow += 1;
          }
          if (breaker.state !== before) {
            if (breaker.state === "open") openedAt = now;
            if (breaker.state === "closed") inARow = 0;
            if (breaker.state !== "half_open") probing = [];
          }
          expect(probing.length).toBeLessThanOrEqual(probes);
          before = breaker.state;
        }
      },
    ),
    { seed, numRuns: 200, verbose: 1 },
  );
});
