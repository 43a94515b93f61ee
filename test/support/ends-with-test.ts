import type { ChildProcess } from "node:child_process";

/** Has the child killed when this process exits, so that a test run that fails or is stopped leaves nothing behind. */
export function endsWithTest(child: ChildProcess): void {
  const kill = () => void child.kill("SIGKILL");
  process.once("exit", kill);
  child.once("exit", () => process.off("exit", kill));
}
