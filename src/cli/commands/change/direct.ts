/** `--direct`: a rollback or a hold past every admin API, straight to the store. */

import type { Command } from "commander";
import { nearest } from "../../../admin/api/nearest.ts";
import type { DirectAnswer, DirectWrite } from "../../../admin/api/write.ts";
import type { Context } from "../../context.ts";
import { type ExitCode, exitCodes, type Failed, fail, type Result, report, succeed } from "../../exit.ts";
import { readSecret } from "../../options.ts";
import { standing } from "../../screen/format.ts";
import { printable } from "../../screen/text.ts";
import { tellAll } from "./all.ts";
import { type AskedWrite, tellAnswer, type WriteOptions, writeBody } from "./write.ts";

export interface DirectOptions extends WriteOptions {
  /** Without a value: the URL is in the environment. */
  readonly direct?: string | true;
  readonly prefix?: string;
}

const defaultPrefix = "cutover";

export function withDirect(command: Command): Command {
  return command
    .option("--direct [URL]", "no admin API answers: write to the store itself (else CUTOVER_STORE_URL)")
    .option("--prefix <NAME>", "with --direct: the configuration's prefix", defaultPrefix);
}

interface Directly extends Pick<AskedWrite, "standing" | "consequences"> {
  /** Without it, every cutover. */
  readonly name?: string;
  readonly action: DirectWrite["action"];
}

export async function runDirect(
  context: Context,
  options: DirectOptions,
  write: Directly,
): Promise<ExitCode> {
  const { terminal, env, engine } = context;
  if (options.dryRun === true) return report(terminal, noDryRun);
  const password = storePassword(env);
  if (!password.ok) return report(terminal, password);
  const url = storeUrl(options.direct, env, password.value);
  if (url === undefined) return report(terminal, noUrl);
  const { prefix = defaultPrefix, reason = "", json } = options;
  const answer = await engine.direct({
    url,
    prefix,
    ...(write.name === undefined ? {} : { name: write.name }),
    action: write.action,
    reason,
    ...writeBody(options),
  });
  const call = write.action === "hold" ? "hold" : "rollback";
  if (answer.kind === "answered_all") {
    return tellAll(terminal, answer.answers, { call, standing: write.standing, isJson: json === true });
  }
  if (answer.kind === "answered") {
    return tellAnswer(terminal, answer.answer, { ...write, call, isJson: json === true });
  }
  return report(terminal, failureOf(answer, write.name));
}

const noDryRun = fail(
  exitCodes.usage,
  "--dry-run asks an admin API, and --direct goes past it: nothing was changed",
  "Use one of the two.",
);

const noUrl = fail(
  exitCodes.usage,
  "--direct needs the store's URL, as redis://HOST:PORT, rediss://, redis-sentinel:// or redis-cluster://",
  "It is the configuration's store: after --direct, behind the cutover's name, or in CUTOVER_STORE_URL.",
  "A password is best in CUTOVER_STORE_PASSWORD_FILE or CUTOVER_STORE_PASSWORD: other users see what is typed.",
);

/** From the environment, else from the file it names; empty: none. */
function storePassword(env: Context["env"]): Result<string> {
  const { CUTOVER_STORE_PASSWORD: told = "", CUTOVER_STORE_PASSWORD_FILE: file = "" } = env;
  if (told !== "" || file === "") return succeed(told);
  const read = readSecret(file);
  if ("secret" in read) return succeed(read.secret);
  return fail(exitCodes.usage, `the file of CUTOVER_STORE_PASSWORD_FILE cannot be read (${read.code})`);
}

/** @returns `undefined` when it is no URL of Redis. It is shown nowhere: it may contain a password. */
function storeUrl(
  typed: string | true | undefined,
  env: Context["env"],
  password: string,
): string | undefined {
  const text = typeof typed === "string" ? typed : (env.CUTOVER_STORE_URL ?? "");
  const [, scheme, userInfo = "", rest] =
    /^((?:rediss?|redis-sentinel|redis-cluster):\/\/)(?:([^/?#]*)@)?([^@/?#:]+.*)$/.exec(text) ?? [];
  if (scheme === undefined || rest === undefined) return undefined;
  const isComplete = password === "" || /:./.test(userInfo);
  return isComplete ? text : `${scheme}${userInfo.replace(/:$/, "")}:${encodeURIComponent(password)}@${rest}`;
}

function failureOf(
  answer: Exclude<DirectAnswer, { kind: "answered" | "answered_all" }>,
  name: string | undefined,
): Failed {
  switch (answer.kind) {
    case "refused": {
      return fail(exitCodes.refused, `refused (${answer.code})`, `It stands at ${standing(answer.stands)}.`);
    }
    case "unknown_name": {
      const meant = name === undefined ? undefined : nearest(name, answer.known);
      return fail(
        exitCodes.refused,
        "neither the store nor an instance knows a cutover of that name: nothing was changed",
        answer.known.length === 0
          ? "No instance has written to this store lately: is it the right one, and the right --prefix?"
          : `${meant === undefined ? "" : `Did you mean ${printable(meant)}? `}There are: ${answer.known.map(printable).join(", ")}`,
      );
    }
    case "out_of_reach":
      return fail(
        exitCodes.outOfReach,
        `the store ${answer.answers ? "answers" : "is out of reach:"} ${printable(answer.why)}`,
        "The change will not land later either.",
        "Without the store, on each host: kill -USR1 PID rolls back everything there (docs/runbooks/rollback.md).",
      );
  }
}
