import type { Command } from "commander";
import type { Explanation } from "../../../admin/api/explanation.ts";
import type { Api, Context } from "../../context.ts";
import { type ExitCode, exitCodes, report } from "../../exit.ts";
import { settle } from "../../failure.ts";
import {
  type ApiOptions,
  examples,
  type JsonOption,
  readName,
  withApiOptions,
  withJson,
} from "../../options.ts";
import { printJson, withApi } from "../../run.ts";
import { printable } from "../../screen/text.ts";

interface ExplainOptions extends ApiOptions, JsonOption {
  readonly shopper?: string;
  readonly key?: string;
  readonly path?: string;
  readonly method?: string;
}

export function addExplain(program: Command, context: Context): void {
  const command = program
    .command("explain")
    .description("which side would serve a shopper's next new journey, or a request with a key, and why")
    .argument("<NAME>", "the cutover", readName)
    .option("--shopper <ID>", "the shopper, as the header or cookie gives it")
    .option("--key <KEY>", "an order's or an idempotency key, as the request carries it")
    .option("--path <PATH>", "of the request")
    .option("--method <METHOD>", "of the request");
  withApiOptions(withJson(command)).action((name: string, options: ExplainOptions) => {
    if (options.shopper === undefined && options.key === undefined) {
      command.error("error: expected --shopper <ID>, --key <KEY>, or both");
    }
    return withApi(context, options, (api) => explain(api, name, options));
  });
  examples(
    command,
    ["cutover explain checkout --shopper 4711", "why this shopper is where they are"],
    ["cutover explain checkout --key INV-7", "who owns this order"],
    ["cutover explain checkout --shopper 4711 --path /checkout --method POST", "for one request"],
  );
}

async function explain({ client, terminal }: Api, name: string, options: ExplainOptions): Promise<ExitCode> {
  const { shopper, key, path, method } = options;
  const query = {
    ...(shopper === undefined ? {} : { shopper }),
    ...(key === undefined ? {} : { key }),
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
  else terminal.out(`${explanationLine(name, settled.value)}\n`);
  return exitCodes.done;
}

/** The name and the server's sentence, in one line. PURE. */
export function explanationLine(name: string, { sentence }: Explanation): string {
  return `${name}: ${printable(sentence)}`;
}
