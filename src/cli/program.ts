/** The command line as a whole: argv in, exit code out. */
import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { addApply } from "./commands/apply/apply.ts";
import { addApprove, addWithdraw } from "./commands/change/approve.ts";
import { addChanges } from "./commands/change/change.ts";
import { addClose } from "./commands/change/close.ts";
import { addList } from "./commands/change/list.ts";
import { addMaintenance } from "./commands/change/maintenance.ts";
import { addOwner } from "./commands/change/owner.ts";
import { addCheck } from "./commands/local/check.ts";
import { addCompletion } from "./commands/local/completion.ts";
import { addDoctor } from "./commands/local/doctor.ts";
import { addLogin, addLogout } from "./commands/local/login.ts";
import { addDemo, addServe } from "./commands/local/serve.ts";
import { addSimulate } from "./commands/local/simulate.ts";
import { addToken } from "./commands/local/token.ts";
import { addFreeze } from "./commands/plan/freeze.ts";
import { addPlan } from "./commands/plan/plan.ts";
import { addSchedule } from "./commands/plan/schedule.ts";
import { addDoubt } from "./commands/read/doubt.ts";
import { addExplain } from "./commands/read/explain.ts";
import { addGate, addGuard } from "./commands/read/guard.ts";
import { addAnnotate, addHistory } from "./commands/read/history.ts";
import { addInstances } from "./commands/read/instances.ts";
import { addStatus } from "./commands/read/status.ts";
import { addWatch } from "./commands/read/watch.ts";
import type { Context } from "./context.ts";
import { type ExitCode, exitCodes, fail, report } from "./exit.ts";
import { linesFor } from "./screen/terminal.ts";
import { inOwnWords } from "./screen/usage-words.ts";

const guide = `
Exit codes:
  0 done   1 refused or failed   2 bad usage or configuration
  3 the admin API is out of reach   4 accepted, not applied everywhere in time (or proposed)
  of gate: 5 insufficient evidence  6 worse

Environment:
  CUTOVER_ADMIN_URL  the admin API (default http://127.0.0.1:9900)
  CUTOVER_TOKEN      the token it knows you by (never pass it as an argument); or
  CUTOVER_TOKEN_FILE a file that holds it; without either, what cutover login has kept
  CUTOVER_CLIENT_CERT, CUTOVER_CLIENT_KEY, NODE_EXTRA_CA_CERTS
                     files, PEM, for an admin API over TLS that asks for a certificate of yours,
                     or has one of an authority of your own
  CUTOVER_CONFIRM    always: a script has to give --confirm to raise by more than 25 points
                     All may stand in ~/.config/cutover/cli.yaml (XDG_CONFIG_HOME) as adminUrl,
                     tokenFile, confirm; a flag wins over the environment, that over the file
  CUTOVER_STORE_URL, CUTOVER_STORE_PASSWORD (or CUTOVER_STORE_PASSWORD_FILE)
                     for --direct: the store, when no admin API answers

Examples:
  cutover status
  cutover set checkout 25 --reason "errors level for a day"
  cutover rollback checkout
  cutover rollback --all`;

/** @param argv the words after `cutover` */
export async function runCli(
  argv: readonly string[],
  world: Omit<Context, "finish"> & { readonly version: string },
): Promise<ExitCode> {
  const { terminal, version } = world;
  let code: ExitCode = exitCodes.done;
  const context: Context = {
    ...world,
    finish: (told) => {
      code = told;
    },
  };

  const program = new Command("cutover")
    .description("Moves shoppers from a legacy checkout to a new one, percent by percent.")
    .version(version, "--version", "print the version")
    .exitOverride()
    .configureOutput({
      writeOut: terminal.out,
      writeErr: terminal.err,
      outputError: (text, write) => write(linesFor(terminal, [`cutover: ${inOwnWords(text.trimEnd())}`])),
    })
    .showHelpAfterError("(--help shows how it is used)")
    .addHelpText("after", guide);

  for (const add of [
    addStatus,
    addWatch,
    addInstances,
    addHistory,
    addAnnotate,
    addExplain,
    addDoubt,
    addGuard,
    addGate,
  ])
    add(program, context);
  for (const add of [
    addChanges,
    addClose,
    addMaintenance,
    addPlan,
    addFreeze,
    addSchedule,
    addApply,
    addApprove,
    addWithdraw,
    addOwner,
    addList,
  ])
    add(program, context);
  for (const add of [addServe, addDemo, addCheck, addDoctor, addSimulate]) add(program, context);
  for (const add of [addLogin, addLogout, addToken, addCompletion]) add(program, context);

  try {
    await program.parseAsync([...argv], { from: "user" });
  } catch (error) {
    // Commander ends help and version with 0, and whatever it cannot read with another code.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
    const message = error instanceof Error ? error.message : "an unknown failure";
    return report(terminal, fail(exitCodes.refused, message));
  }
  return code;
}

/** The version in package.json, from src/ and from dist/ alike. */
export function packageVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  const read: unknown = JSON.parse(text);
  const isNamed = typeof read === "object" && read !== null && "version" in read;
  if (!isNamed || typeof read.version !== "string") throw new Error("package.json names no version");
  return read.version;
}
