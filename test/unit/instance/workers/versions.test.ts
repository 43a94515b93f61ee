import { describe, expect, test } from "vitest";
import { createWorkerVersions } from "../../../../src/instance/workers/versions.ts";

describe("the versions an instance with workers decides by", () => {
  test("are its own until a worker has told", () => {
    const versions = createWorkerVersions();
    versions.hears(1);
    expect(versions.lowest({ checkout: 3 })).toEqual({ checkout: 3 });
  });

  test("are the lowest that a worker decides by, and 0 for what one does not know", () => {
    const versions = createWorkerVersions();
    versions.told(1, 5, { checkout: 3, returns: 1 });
    versions.told(2, 4, { checkout: 2, returns: 1 });
    expect(versions.lowest({ checkout: 3, returns: 1 })).toEqual({ checkout: 2, returns: 1 });
    expect(versions.lowest({ checkout: 3, search: 1 })).toEqual({ checkout: 2, search: 0 });
  });

  test("are never above the primary's, and a worker that is gone holds none of them back", () => {
    const versions = createWorkerVersions();
    versions.told(1, 5, { checkout: 3 });
    versions.told(2, 4, { checkout: 1 });
    expect(versions.lowest({ checkout: 2 })).toEqual({ checkout: 1 });
    versions.gone(2);
    expect(versions.lowest({ checkout: 2 })).toEqual({ checkout: 2 });
  });
});

describe("a snapshot is reached", () => {
  async function isSettled(promise: Promise<void>): Promise<boolean> {
    return Promise.race([promise.then(() => true), new Promise<boolean>((r) => setImmediate(r, false))]);
  }

  test("at once without workers", async () => {
    expect(await isSettled(createWorkerVersions().reached(7))).toBe(true);
  });

  test("when every worker that hears decides by it or a later one", async () => {
    const versions = createWorkerVersions();
    versions.hears(1);
    versions.hears(2);
    const reached = versions.reached(2);
    versions.told(1, 3, {});
    versions.told(2, 1, {});
    expect(await isSettled(reached)).toBe(false);
    versions.told(2, 2, {});
    expect(await isSettled(reached)).toBe(true);
  });

  test("when the last worker that does not decide by it is gone", async () => {
    const versions = createWorkerVersions();
    versions.told(1, 2, {});
    versions.told(2, 1, {});
    const reached = versions.reached(2);
    expect(await isSettled(reached)).toBe(false);
    versions.gone(2);
    expect(await isSettled(reached)).toBe(true);
  });
});
