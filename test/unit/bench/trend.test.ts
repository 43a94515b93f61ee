import { describe, expect, test } from "vitest";
import { type Sample, slopesOf } from "../../bench/soak/trend.ts";

const requests = 5_000_000;

/** Memory that saws by 80 MiB, a little slower from tooth to tooth, on top of what is held. */
function run(heldMiB: (requests: number) => number): Sample[] {
  return Array.from({ length: 2000 }, (_, place) => {
    const at = (place * requests) / 2000;
    const tooth = ((place % 17) + (place % 5) / 5) / 17;
    return { requests: at, rssMiB: heldMiB(at) + 80 * tooth * (0.5 + (0.5 * place) / 2000) };
  });
}

describe("the slope of a soak", () => {
  test("is not that of what waits for a collection", () => {
    const { floors, all } = slopesOf(
      run(() => 150),
      requests,
    );
    expect(all).toBeGreaterThan(1);
    expect(Math.abs(floors)).toBeLessThan(0.2);
  });

  test("is what each request leaves behind", () => {
    const { floors } = slopesOf(
      run((at) => 150 + (3 * at) / 1e6),
      requests,
    );
    expect(floors).toBeGreaterThan(2.8);
    expect(floors).toBeLessThan(3.3);
  });

  test("does not count what the first tenth takes to warm up", () => {
    const { floors } = slopesOf(
      run((at) => (at < requests / 10 ? 50 : 150)),
      requests,
    );
    expect(Math.abs(floors)).toBeLessThan(0.2);
  });
});
