/** A process that claims owners in a file without pause and says each one it was told is safe. Argument: PATH. */

import { systemClock } from "../../src/base/clock.ts";
import { openFileStores } from "../../src/ownership/stores/in-process.ts";

const [path = ""] = process.argv.slice(2);
const { owners } = await openFileStores(path, systemClock);
for (let turn = 0; ; turn++) {
  await Promise.all(
    [`a${turn}`, `b${turn}`].map(async (key) => {
      await owners.record("checkout", { key, claimed: false }, turn % 2 === 0 ? "new" : "legacy", 3_600_000);
      process.stdout.write(`${key}\n`);
    }),
  );
}
