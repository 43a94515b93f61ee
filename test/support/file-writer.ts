/** A process that changes a file store without pause and says each version it was told is safe. Argument: PATH. */
import { systemClock } from "../../src/base/clock.ts";
import { openFileStore } from "../../src/state/store/file.ts";
import { command, setTo } from "./commands.ts";

const [path = ""] = process.argv.slice(2);
const store = await openFileStore({ path, clock: systemClock });
await store.shared("secret", "kept");
for (let turn = 0; ; turn++) {
  const applied = await store.apply(command("checkout", setTo((turn % 99) + 1)));
  const { state } = applied;
  // The first may be what the writer before has left.
  if (applied.accepted && applied.changed) process.stdout.write(`${state.version}\n`);
}
