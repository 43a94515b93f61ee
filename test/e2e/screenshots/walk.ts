/**
 * A walk through the first minutes, as README has them: the demonstration runs, each command is a real one, and what it
 * printed is what the picture shows.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { colourStyle } from "../../../src/cli/screen/terminal.ts";
import { startCutover } from "../../support/cutover.ts";
import { createPaperTerminal, runOnPaper } from "../../support/paper-terminal.ts";
import { eventually } from "../../support/until.ts";
import { type Frame, lastFrameOf, pictureOf } from "./terminal.ts";

const control = "http://127.0.0.1:7102/faults";
const cutovers = z.array(
  z.object({ traffic: z.object({ new: z.object({ requests: z.int(), errors: z.int() }) }) }),
);
const rows = 30;

/** Takes about a minute and a half. */
export async function recordWalk(): Promise<string> {
  // What an earlier one has left is not its own.
  const cwd = await mkdtemp(join(tmpdir(), "cutover-walk-"));
  const demo = startCutover(["demo"], { cwd });
  await demo.until((stdout) => stdout.includes("http://127.0.0.1:9900"));
  try {
    return pictureOf("a walk through the first five minutes", await walk());
  } finally {
    demo.child.kill("SIGINT");
    await demo.finished;
    await rm(cwd, { recursive: true, force: true });
  }
}

async function walk(): Promise<Frame[]> {
  return [
    ...(await typed(["status"], 4)),
    ...(await typed(["set", "checkout", "25", "--reason", "first step"], 4)),
    ...(await watched(40_000, 6)),
    ...(await broken()),
    ...(await watched(30_000, 8)),
    ...(await typed(["rollback", "checkout", "--reason", "Errors up"], 6)),
    ...(await typed(["history", "checkout"], 6)),
  ];
}

/** A command, typed, and what it prints. */
async function typed(argv: readonly string[], seconds: number): Promise<Frame[]> {
  const terminal = paper();
  await runOnPaper(argv, { terminal });
  const said = argv.map((word) => (/\s/.test(word) ? `"${word}"` : word)).join(" ");
  const line = colourStyle.strong(`$ cutover ${said}`);
  const printed = (terminal.stdout() + terminal.stderr()).trimEnd().split("\n");
  return [
    { lines: [line], seconds: 1.2 },
    { lines: [line, "", ...printed], seconds },
  ];
}

/** What `watch` shows in so many ms, each time it was drawn anew, told in so many seconds. */
async function watched(ms: number, seconds: number): Promise<Frame[]> {
  const terminal = paper();
  const frames: string[][] = [];
  const running = runOnPaper(["watch", "checkout"], { terminal });
  const looks = 8;
  for (let look = 0; look < looks; look += 1) {
    await sleep(ms / looks);
    frames.push(lastFrameOf(terminal.stdout()));
  }
  terminal.stop();
  await running;
  return [
    { lines: [colourStyle.strong("$ cutover watch checkout")], seconds: 1.2 },
    ...frames.map((lines) => ({ lines, seconds: seconds / looks })),
  ];
}

/** Half of what the marketplace is asked fails from now on, and it has shown. */
async function broken(): Promise<Frame[]> {
  const body = '{"failRate":0.5}';
  await fetch(control, { method: "POST", body });
  await eventually(
    "it shows",
    async () => {
      const [view] = cutovers.parse(await (await fetch("http://127.0.0.1:9900/api/v1/cutovers")).json());
      const { requests = 0, errors = 0 } = view?.traffic.new ?? {};
      return errors >= 5 && errors > requests / 20;
    },
    60_000,
  );
  return [{ lines: [colourStyle.strong(`$ curl -X POST ${control} -d '${body}'`)], seconds: 2 }];
}

function paper() {
  return { ...createPaperTerminal(), isTty: true, style: colourStyle, columns: () => 80, rows: () => rows };
}
