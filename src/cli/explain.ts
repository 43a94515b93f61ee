import type { Command } from "commander";
import type { Explanation } from "../admin/schemas.ts";
import type { Reason } from "../decide/decide.ts";
import type { Api, Context } from "./context.ts";
import { type ExitCode, exitCodes, report } from "./exit.ts";
import { settle } from "./failure.ts";
import { share } from "./format.ts";
import { type ApiOptions, examples, type JsonOption, readName, withApiOptions, withJson } from "./options.ts";
import { printJson, withApi } from "./run.ts";
import { printable } from "./text.ts";

interface ExplainOptions extends ApiOptions, JsonOption {
  readonly shopper: string;
  readonly path?: string;
  readonly method?: string;
}

export function addExplain(program: Command, context: Context): void {
  const command = program
    .command("explain")
    .description("which side would serve a shopper's next new journey, and why")
    .argument("<NAME>", "the cutover", readName)
    .requiredOption("--shopper <ID>", "the shopper, as the header or cookie gives it")
    .option("--path <PATH>", "of the request")
    .option("--method <METHOD>", "of the request");
  withApiOptions(withJson(command)).action((name: string, options: ExplainOptions) =>
    withApi(context, options, (api) => explain(api, name, options)),
  );
  examples(
    command,
    ["cutover explain checkout --shopper 4711", "why this shopper is where they are"],
    ["cutover explain checkout --shopper 4711 --path /checkout --method POST", "for one request"],
  );
}

async function explain({ client, terminal }: Api, name: string, options: ExplainOptions): Promise<ExitCode> {
  const { shopper, path, method } = options;
  const query = {
    shopper,
    ...(path === undefined ? {} : { path }),
    ...(method === undefined ? {} : { method: method.toUpperCase() }),
  };
  const settled = settle(await client.explain(name, query), {
    url: client.url,
    name,
    isOfPath: path !== undefined,
  });
  if (!settled.ok) return report(terminal, settled.failure);
  if (options.json === true) printJson(terminal, settled.value);
  else terminal.out(`${explanationSentence(name, settled.value)}\n`);
  return exitCodes.done;
}

const becauses: Readonly<Partial<Record<string, string>>> = {
  owner: "it owns the order or the key of this request, and nothing overrides an owner",
  closed: "legacy is closed for good",
  journey: "the journey began there and stays",
  rolled_back: "the cutover is rolled back: new journeys start on legacy",
  forced: "an authorised override says so",
  anonymous: "the request names no shopper",
  stale: "the store has been out of reach for too long, and the cutover then says legacy",
  fallback: "the new side cannot be connected to",
} satisfies Partial<Record<Reason, string>>;

/** One sentence. PURE. */
export function explanationSentence(name: string, told: Explanation): string {
  const { side, reason, bucket, percent, version } = told;
  const because = reason === "bucket" ? bucketReason(told) : (becauses[reason] ?? `of ${printable(reason)}`);
  const place = bucket === null || reason === "bucket" ? "" : ` (bucket ${bucket})`;
  return `${name}: ${side}, because ${because}${place}; version ${version} at ${share(percent)}.`;
}

function bucketReason({ bucket, percent, side }: Explanation): string {
  const bound = Math.round(percent * 1000);
  const relation = side === "new" ? "below" : "not below";
  return `the shopper's bucket ${bucket ?? "?"} is ${relation} ${bound}, which is ${share(percent)} of 100000`;
}
