/** A process that writes versions 1, 2, 3 … into a snapshot file, and says each on stdout once it is kept. */
import { systemClock } from "../../src/base/clock.ts";
import { createSnapshotFile } from "../../src/state/follow/snapshot-file.ts";
import { initialState } from "../../src/state/rules/model.ts";

const [path = "", name = "checkout"] = process.argv.slice(2);
const silent = { info: () => {}, warn: () => {}, error: () => {} };
const file = createSnapshotFile({ path, clock: systemClock, log: silent });
const { states } = await file.read();
for (let version = (states.get(name)?.version ?? 0) + 1; ; version += 1) {
  file.keep(new Map([[name, { ...initialState(), version, reason: "x".repeat(version % 5000) }]]));
  await file.settled();
  process.stdout.write(`${version}\n`);
}
