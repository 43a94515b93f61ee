/** The commands that run something: started, closed at a signal; a second signal ends it at once. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { codeOf } from "../../../base/errors.ts";
import type { Context } from "../../context.ts";
import { demoPlans, demoShops, type Problems, type Running } from "../../engine.ts";
import {
  type ExitCode,
  exitCodes,
  type Failed,
  fail,
  report,
  reportProblems,
  warningLine,
} from "../../exit.ts";
import { examples, withConfig } from "../../options.ts";

interface ServeOptions {
  readonly config: string;
}

export function addServe(program: Command, context: Context): void {
  const command = withConfig(
    program
      .command("serve")
      .description(
        "run the proxy and its admin API; JSON lines on stdout, one with msg ready once it serves",
      ),
  );
  command.action(async ({ config }: ServeOptions) => {
    context.finish(await runUntilStopped(context, () => context.engine.serve(config)));
  });
  examples(
    command,
    ["cutover serve", "with config/cutover.yaml"],
    ["cutover serve --config /etc/cutover.yaml", "SIGTERM or Ctrl-C ends it cleanly, twice at once"],
    ["kill -HUP PID", "reads the configuration again: swapped whole, or kept, as the log says"],
    ["kill -USR2 PID", "replaces the workers one after the other"],
  );
}

export function addDemo(program: Command, context: Context): void {
  const command = program
    .command("demo")
    .description("everything on this machine: the proxy, two sample shops, sample shoppers, the page")
    .option(
      "--store <URL>",
      "Redis instead of a file of its own: redis://HOST:PORT; or memory:",
      readDemoStore,
    )
    .addOption(
      new Option("--shops <KIND>", "what stands behind it: an API, or pages as shops have them")
        .choices(demoShops)
        .default("sample"),
    );
  command.addOption(
    new Option(
      "--plan [KIND]",
      "raise it from 1 to 100% by a plan, in seconds for days; or against too near a date",
    )
      .choices(demoPlans)
      .preset("on-time"),
  );
  command.action(async (asked: Parameters<Context["engine"]["demo"]>[1]) => {
    const { terminal, engine, finish } = context;
    if (asked.plan !== undefined && asked.shops !== "sample") {
      const message = "--plan goes with the sample shops alone";
      return finish(report(terminal, fail(exitCodes.usage, message, "Give the one or the other.")));
    }
    const print = (text: string) => terminal.out(`${text}\n`);
    finish(await runUntilStopped(context, () => engine.demo(print, asked)));
  });
  examples(
    command,
    ["cutover demo", "Ctrl-C ends all of it"],
    ["cutover demo --store memory: --plan", "from 1 to 100% by itself"],
    ["cutover demo --store memory: --plan too-late", "says beforehand that its date cannot be met"],
    ["cutover demo --store redis://127.0.0.1:6379", "its state in Redis, under keys of its own"],
    ["cutover demo --shops forms", "a shop of pages and forms; graphql: a page whose script asks"],
  );
}

/** A file may be another instance's, whose state a demonstration leaves alone. */
function readDemoStore(text: string): string {
  if (text === "memory:" || /^redis(?:s|-sentinel|-cluster)?:\/\/./.test(text)) return text;
  throw new InvalidArgumentError("Expected memory: or a URL of Redis, such as redis://127.0.0.1:6379.");
}

/**
 * Signals are heard from the beginning: one that comes before the thing is up ends it once it is.
 *
 * @returns the exit code; what went wrong was told on stderr
 */
async function runUntilStopped(
  { terminal, abandon }: Pick<Context, "terminal" | "abandon">,
  start: () => Promise<Problems | Running>,
): Promise<ExitCode> {
  const stop = new AbortController();
  let breakGlass: (() => void) | undefined;
  let isGlassBroken = false;
  let up: Running | undefined;
  const leaveStop = terminal.onStop(() => {
    if (stop.signal.aborted) abandon();
    stop.abort();
  });
  const leaveGlass = terminal.onBreakGlass(() => {
    isGlassBroken = true;
    breakGlass?.();
  });
  // A terminal that is closed ends what has nothing to read again.
  const leaveReload = terminal.onReload(() => {
    if (up?.reload === undefined) stop.abort();
    else void up.reload();
  });
  const leaveRestart = terminal.onRestart(() => void up?.restartWorkers?.());
  try {
    const running = await start();
    if (!running.ok) return reportProblems(terminal, running.problems);
    up = running;
    breakGlass = running.breakGlass;
    if (isGlassBroken) breakGlass?.();
    terminal.err(running.warnings.map(warningLine).join(""));
    await aborted(stop.signal);
    await running.close();
    return exitCodes.done;
  } catch (error) {
    return report(terminal, startFailure(error));
  } finally {
    leaveStop();
    leaveGlass();
    leaveReload();
    leaveRestart();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

const advice = new Map<unknown, string>([
  [
    "EADDRINUSE",
    "Something listens there already: end it, or choose another port under listeners (0: a free one).",
  ],
  ["EACCES", "This user may not: choose a port above 1023, or check the file's permissions."],
  ["EADDRNOTAVAIL", "This machine has no such address: check host under listeners."],
]);

/** Why it did not start or did not end cleanly, for a person: no stack trace. */
function startFailure(error: unknown): Failed {
  const message = error instanceof Error ? error.message : "an unknown failure";
  const next = advice.get(codeOf(error));
  return fail(exitCodes.refused, message, ...(next === undefined ? [] : [next]));
}
