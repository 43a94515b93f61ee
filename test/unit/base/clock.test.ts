import { describe, expect, test } from "vitest";
import { systemClock, systemTimers, within } from "../../../src/base/clock.ts";
import { StoreUnavailable } from "../../../src/base/errors.ts";
import { createManualTime } from "../../support/manual-time.ts";

describe("systemClock", () => {
  test("tells the epoch's milliseconds and a time that never steps back", () => {
    expect(Math.abs(systemClock.now() - Date.now())).toBeLessThan(1000);
    const readings = Array.from({ length: 1000 }, () => systemClock.monotonic());
    expect(readings).toEqual(readings.toSorted((one, other) => one - other));
  });
});

describe("systemTimers", () => {
  test("runs once after the time, and not when taken back", async () => {
    const ran: string[] = [];
    const cancel = systemTimers.after(1, () => ran.push("taken back"));
    cancel();
    await new Promise<void>((resolve) => {
      systemTimers.after(5, () => {
        ran.push("ran");
        resolve();
      });
    });
    expect(ran).toEqual(["ran"]);
  });
});

describe("within", () => {
  test("gives what the work gives and leaves no timer behind", async () => {
    const time = createManualTime();
    expect(await within(100, time, Promise.resolve("done"))).toBe("done");
    await expect(within(100, time, Promise.reject(new Error("broken")))).rejects.toThrow("broken");
    expect(time.pending()).toBe(0);
  });

  test("rejects with StoreUnavailable when the time is over, and drops a later rejection", async () => {
    const time = createManualTime();
    let reject = (_: Error) => {};
    const work = new Promise<void>((_, no) => {
      reject = no;
    });
    const waited = within(100, time, work).then(
      () => "resolved",
      (error: unknown) => error,
    );
    await time.advance(100);
    expect(await waited).toBeInstanceOf(StoreUnavailable);
    reject(new Error("too late"));
    expect(time.pending()).toBe(0);
  });
});
