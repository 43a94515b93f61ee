import { expect, test } from "vitest";
import { createAttempts } from "../../../../src/admin/access/attempts.ts";
import { noAccessCounts } from "../../../../src/admin/access/metrics.ts";
import { createManualTime } from "../../../support/manual-time.ts";
import { createRecordedLog } from "../../../support/recorded-log.ts";

test("the count remembers 4096 addresses at most, the last ones", () => {
  const clock = createManualTime();
  const attempts = createAttempts({ clock, log: createRecordedLog(), counts: noAccessCounts });
  const address = (at: number) => `10.${at >> 16}.${(at >> 8) & 255}.${at & 255}`;
  for (let at = 0; at < 6000; at += 1) {
    for (let failed = 0; failed < 10; failed += 1) attempts.failed(address(at), "no");
  }
  expect(attempts.size()).toBe(4096);
  expect(attempts.blockedForSeconds(address(0))).toBe(0);
  expect(attempts.blockedForSeconds(address(5999))).toBe(3);
});

test("the log is told how many failures were kept out of it", async () => {
  const clock = createManualTime();
  const log = createRecordedLog();
  const attempts = createAttempts({ clock, log, counts: noAccessCounts });
  for (let at = 0; at < 80; at += 1) attempts.failed(`10.0.0.${at}`, "no");
  expect(log.lines).toHaveLength(50);
  await clock.advance(1000);
  attempts.failed("10.0.1.1", "no");
  expect(log.lines.at(-1)?.fields).toMatchObject({ remote: "10.0.1.1", unlogged: 30 });
});
