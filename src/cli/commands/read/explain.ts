import { type Command, Option } from "commander";
import type { Explanation } from "../../../admin/api/explanation.ts";
import type { Context } from "../../context.ts";
import { show, withApi } from "../../frame.ts";
import {
  type ApiOptions,
  examples,
  type JsonOption,
  readName,
  withApiOptions,
  withJson,
} from "../../options.ts";
import { printable } from "../../screen/text.ts";

interface ExplainOptions extends ApiOptions, JsonOption {
  readonly shopper?: string;
  readonly key?: string;
  readonly path?: string;
  readonly method?: string;
  readonly host?: string;
  readonly cohort?: string;
  readonly force?: "legacy" | "new";
  readonly visit?: "legacy" | "new";
}

export function addExplain(program: Command, context: Context): void {
  const command = program
    .command("explain")
    .description("which side would serve a shopper's next new journey, or a request with a key, and why")
    .argument("<NAME>", "the cutover", readName)
    .option("--shopper <ID>", "the shopper, as the header or cookie gives it")
    .option("--key <KEY>", "an order's or an idempotency key, as the request carries it")
    .option("--path <PATH>", "of the request, with its query where a route asks for that")
    .option("--method <METHOD>", "of the request")
    .option("--host <HOST>", "that the request is for; without it, any that the cutover is for")
    .option("--cohort <NAME>", "take the shopper for one of this cohort")
    .addOption(new Option("--force <SIDE>", "as a tester whose secret is right").choices(["legacy", "new"]))
    .addOption(new Option("--visit <SIDE>", "in the course of a visit to it").choices(["legacy", "new"]));
  withApiOptions(withJson(command)).action((name: string, options: ExplainOptions) => {
    if (options.shopper === undefined && options.key === undefined && options.force === undefined) {
      command.error("error: expected --shopper <ID>, --key <KEY>, --force <SIDE>, or several of them");
    }
    return withApi(context, options, async ({ client, terminal }) => {
      const { shopper, key, path, method, host, cohort, force, visit } = options;
      const query = { shopper, key, path, host, cohort, method: method?.toUpperCase(), force, visit };
      const answer = await client.explain(name, query);
      const asked = { url: client.url, name, isOfPath: path !== undefined || host !== undefined };
      return show(terminal, answer, asked, options, (explanation) => [
        explanationLine(name, explanation),
        ...routeLines(explanation),
      ]);
    });
  });
  examples(
    command,
    ["cutover explain checkout --shopper 4711", "why this shopper is where they are"],
    ["cutover explain checkout --key INV-7", "who owns this order"],
    ["cutover explain checkout --shopper 4711 --path /checkout --method POST", "for one request"],
    ["cutover explain checkout --shopper 4711 --host shop.my --path /cart", "for one host's"],
    ["cutover explain checkout --shopper 4711 --cohort jakarta", "by a cohort's percent"],
    ["cutover explain checkout --shopper 4711 --force new", "where a tester would go"],
    ["cutover explain checkout --shopper 4711 --visit legacy", "who began on legacy before a raise"],
  );
}

/** The name and the server's sentence, in one line. PURE. */
export function explanationLine(name: string, { sentence }: Pick<Explanation, "sentence">): string {
  return `${name}: ${printable(sentence)}`;
}

/** The routes that share the path, in the order in which they are asked; nothing where there is one alone. PURE. */
export function routeLines({ routes }: Pick<Explanation, "routes">): string[] {
  if (!routes.some(({ when }) => when !== null)) return [];
  return routes.map(({ cutover, name, when }, index) => {
    const condition = when === null ? (index === 0 ? "" : ", else") : `, when ${when}`;
    return `  ${index + 1}. route ${name} of ${cutover}${printable(condition)}`;
  });
}
