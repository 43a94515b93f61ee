/** `doctor`: what is wrong between here, the instance, its store and its upstreams, each with what to do. */
import { statSync } from "node:fs";
import type { Command } from "commander";
import type { Api, Context } from "../../context.ts";
import type { ConfigFinding } from "../../engine.ts";
import { type ExitCode, exitCodes } from "../../exit.ts";
import { resultOf } from "../../failure.ts";
import { printJson, withApi } from "../../frame.ts";
import {
  type ApiOptions,
  examples,
  type JsonOption,
  withApiOptions,
  withConfig,
  withJson,
} from "../../options.ts";
import { printable } from "../../screen/text.ts";

interface DoctorOptions extends ApiOptions, JsonOption {
  readonly config: string;
}

export function addDoctor(program: Command, context: Context): void {
  const command = withConfig(
    program
      .command("doctor")
      .description("check configuration, store, upstreams, admin API, token and clocks; each with its fix"),
  );
  withApiOptions(withJson(command, "print a list of { check, verdict, said, fix }")).action(
    (options: DoctorOptions) =>
      withApi(context, options, async (api) => {
        const found = [
          ...(await context.engine.examine(options.config)),
          ...tokenFindings(options),
          ...(await apiFindings(api)),
        ];
        return tell(api, found, options.json === true);
      }),
  );
  examples(
    command,
    ["cutover doctor", "on the host of an instance: all of it"],
    ["cutover doctor --admin-url https://cutover.example", "from elsewhere: what the API tells"],
  );
}

/** @returns 1 when something failed */
function tell(
  { terminal }: Pick<Api, "terminal">,
  found: readonly ConfigFinding[],
  isJson: boolean,
): ExitCode {
  if (isJson) printJson(terminal, found);
  else {
    const width = Math.max(...found.map(({ check }) => check.length));
    const lines = found.flatMap(({ check, verdict, said, fix }) => [
      `${verdict.padEnd(4)}  ${check.padEnd(width)}  ${printable(said)}\n`,
      ...(fix === undefined ? [] : [`${" ".repeat(width + 8)}→ ${printable(fix)}\n`]),
    ]);
    terminal.out(lines.join(""));
  }
  return found.some(({ verdict }) => verdict === "fail") ? exitCodes.refused : exitCodes.done;
}

function tokenFindings({ tokenFile }: ApiOptions): ConfigFinding[] {
  if (tokenFile === undefined || (statSync(tokenFile).mode & 0o077) === 0) return [];
  const fix = "chmod 600 on it.";
  return [{ check: "token", verdict: "warn", said: "others on this host can read its file", fix }];
}

const skewMs = 1000;
const slowStoreMs = 100;

async function apiFindings({ client, now }: Pick<Api, "client" | "now">): Promise<ConfigFinding[]> {
  const askedMs = now();
  const result = resultOf(await client.whoAmI(), { url: client.url });
  const answeredMs = now();
  if (!result.ok) {
    const { message, next } = result.failure;
    return [{ check: "admin API", verdict: "fail", said: message, ...(next[0] && { fix: next[0] }) }];
  }
  const { name, role, instance, version, serverTime, storeTime, storeMs } = result.value;
  const said = `instance ${instance}, version ${version}, in ${answeredMs - askedMs} ms`;
  const skew = Math.round(Date.parse(serverTime) - (askedMs + answeredMs) / 2);
  return [
    { check: "admin API", verdict: "ok", said },
    { check: "token", verdict: "ok", said: `known as ${name}, role ${role}` },
    clock("clock of the instance", skew, "this host's"),
    ...(storeTime === null || storeMs === null
      ? [outOfReach]
      : [
          storeMs > slowStoreMs
            ? {
                check: "store of the instance",
                verdict: "warn" as const,
                said: `slow: ${storeMs} ms`,
                fix: "Bring it nearer, or see its slow log; a change waits for it.",
              }
            : { check: "store of the instance", verdict: "ok" as const, said: `answers in ${storeMs} ms` },
          clock("clock of the store", Date.parse(storeTime) - Date.parse(serverTime), "the instance's"),
        ]),
  ];
}

const outOfReach: ConfigFinding = {
  check: "store of the instance",
  verdict: "fail",
  said: "out of reach, or it refuses: nothing can be raised; a rollback or a hold reaches this instance alone",
  fix: "Bring the store back; until then see docs/runbooks/rollback.md.",
};

function clock(check: string, apartMs: number, of: string): ConfigFinding {
  const said = `${Math.abs(apartMs)} ms ${apartMs < 0 ? "behind" : "before"} ${of}`;
  if (Math.abs(apartMs) <= skewMs) return { check, verdict: "ok", said };
  return { check, verdict: "warn", said, fix: "Let both be set by NTP." };
}
