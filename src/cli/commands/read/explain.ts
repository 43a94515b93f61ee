import { type Command, Option } from "commander";
import type { Explanation } from "../../../admin/api/explanation.ts";
import type { Context } from "../../context.ts";
import { show, withApi } from "../../frame.ts";
import {
  type ApiOptions,
  examples,
  type JsonOption,
  readName,
  readSince,
  withApiOptions,
  withJson,
} from "../../options.ts";
import { localTime } from "../../screen/format.ts";
import { printable } from "../../screen/text.ts";

interface ExplainOptions extends ApiOptions, JsonOption {
  readonly shopper?: string;
  readonly key?: string;
  readonly order?: string;
  /** Milliseconds since the epoch. */
  readonly at?: number;
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
    .option("--order <ID>", "the same as --key")
    .option(
      "--at <TIME>",
      "how a request with the key was decided then: 2h ago, as 2h, or 2025-03-01T12:00:00Z",
      readSince(context.now),
    )
    .option("--path <PATH>", "of the request, with its query where a route asks for that")
    .option("--method <METHOD>", "of the request")
    .option("--host <HOST>", "that the request is for; without it, any that the cutover is for")
    .option("--cohort <NAME>", "take the shopper for one of this cohort")
    .addOption(new Option("--force <SIDE>", "as a tester whose secret is right").choices(["legacy", "new"]))
    .addOption(new Option("--visit <SIDE>", "in the course of a visit to it").choices(["legacy", "new"]));
  withApiOptions(withJson(command)).action((name: string, options: ExplainOptions) => {
    const { shopper, order, key = order, path, method, host, cohort, force, visit } = options;
    if (shopper === undefined && key === undefined && force === undefined) {
      command.error("error: expected --shopper <ID>, --key <KEY>, --force <SIDE>, or several of them");
    }
    if (order !== undefined && key !== order) command.error("error: expected one key: --order is --key");
    if (options.at !== undefined && key === undefined)
      command.error("error: how a past request was decided is recorded by its key: expected --order <ID>");
    const at = options.at === undefined ? undefined : new Date(options.at).toISOString();
    return withApi(context, options, async ({ client, terminal }) => {
      const query = { shopper, key, at, path, host, cohort, method: method?.toUpperCase(), force, visit };
      const answer = await client.explain(name, query);
      const asked = { url: client.url, name, isOfPath: path !== undefined || host !== undefined };
      return show(terminal, answer, asked, options, (explanation) => [
        explanationLine(name, explanation),
        ...routeLines(explanation),
        ...pastLines(explanation),
      ]);
    });
  });
  examples(
    command,
    ["cutover explain checkout --shopper 4711", "why this shopper is where they are"],
    ["cutover explain checkout --key INV-7", "who owns this order"],
    ["cutover explain checkout --order INV-7 --at 2h", "where it was sent two hours ago, and why"],
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

/** What is recorded of past requests with the key, oldest first; nothing where none was asked about. PURE. */
function pastLines({ past }: Pick<Explanation, "past">): string[] {
  if (past === null) return [];
  const { at, decisions, omitted, answered, sentence } = past;
  const when = at === null ? "past requests" : `at ${localTime(Date.parse(at))}`;
  const lines = decisions.map(({ at: sent, side, reason, version, route }) => {
    const moment = localTime(Date.parse(sent));
    return `  ${moment}  ${side.padEnd("legacy".length)}  ${printable(reason)}, version ${version}, route ${printable(route)}`;
  });
  if (omitted > 0) lines.splice(Math.floor(lines.length / 2), 0, `  … ${omitted} more, not kept`);
  const answers = (["legacy", "new"] as const).flatMap((side) => {
    const last = answered[side];
    return last === null ? [] : [`  ${side} last answered one at ${localTime(Date.parse(last))}`];
  });
  return [`${when}: ${printable(sentence)}`, ...lines, ...answers];
}
