/** A process whose store never answers: spools owners without pause, says each that is safe. Argument: FOLDER. */

import { systemClock, systemTimers } from "../../src/base/clock.ts";
import { StoreUnavailable } from "../../src/base/errors.ts";
import { createSpool } from "../../src/ownership/spool/spool.ts";
import { createSpoolFile } from "../../src/ownership/spool/spool-file.ts";

const [folder = ""] = process.argv.slice(2);
const silent = () => undefined;
const spool = createSpool({
  owners: {
    record: async () => {
      throw new StoreUnavailable("never");
    },
  },
  file: createSpoolFile(folder, "child"),
  clock: systemClock,
  timers: systemTimers,
  log: { info: silent, warn: silent, error: silent },
  counts: { disputed: silent, lost: silent },
  onRecorded: silent,
});
await spool.start();
for (let turn = 0; ; turn++) {
  const side = turn % 2 === 0 ? "new" : "legacy";
  await spool.add({
    cutover: "checkout",
    key: `k${turn}`,
    claimed: false,
    side,
    until: Date.now() + 3_600_000,
  });
  process.stdout.write(`k${turn}\n`);
}
