import { type Command, InvalidArgumentError } from "commander";
import type { Context } from "../../context.ts";
import type { ConfigValue, Problems, Sound, TriedRequest } from "../../engine.ts";
import { exitCodes, reportProblems, warningLine } from "../../exit.ts";
import { printJson } from "../../frame.ts";
import { examples, type JsonOption, withConfig, withJson } from "../../options.ts";
import { printable } from "../../screen/text.ts";
import { routeLines } from "../read/explain.ts";

interface CheckOptions extends JsonOption {
  readonly config: string;
  readonly explain?: true;
  readonly try?: Asked;
}

/** A request that is tried. */
interface Asked {
  readonly method: string;
  readonly url: string;
}

export function addCheck(program: Command, context: Context): void {
  const command = withConfig(
    program
      .command("check")
      .description("read the configuration and tell every problem, each with its place"),
  );
  command.option("--explain", "also every value in effect and where it comes from, secrets masked");
  command.option(
    "--try <request>",
    'also what each side would get of a request, such as "POST https://shop.example/checkout"; nothing is sent',
    readRequest,
  );
  withJson(command, "print { ok, problems, warnings }").action((options: CheckOptions) =>
    check(context, options),
  );
  examples(
    command,
    ["cutover check", "config/cutover.yaml"],
    ["cutover check --explain", "with defaults, and the place of each value"],
    ['cutover check --try "POST https://shop.example/checkout"', "with path, Host and fields as rewritten"],
    ["cutover check --config /etc/cutover.yaml", "another file, before serve is pointed at it"],
  );
}

async function check({ engine, terminal, finish }: Context, options: CheckOptions): Promise<void> {
  const checked = await engine.check(options.config);
  const asked = options.try;
  const tried = asked && checked.ok ? await checked.attempt?.(asked.method, asked.url) : undefined;
  if (options.json === true) {
    const { explain: _, attempt: __, ...told } = { explain: undefined, attempt: undefined, ...checked };
    const shown = { ...told, ...valuesOf(checked, options), ...(tried && { tried }) };
    printJson(terminal, { problems: [], warnings: [], ...shown });
    finish(checked.ok ? exitCodes.done : exitCodes.usage);
    return;
  }
  if (!checked.ok) {
    finish(reportProblems(terminal, checked.problems));
    return;
  }
  const { values = [] } = valuesOf(checked, options);
  const width = Math.max(...values.map(({ path, value }) => path.length + value.length + 2), 0);
  const lines = values.map((each) => {
    const said = `${each.path}: ${printable(each.value)}`;
    return `${said.padEnd(Math.min(width, mostPadded))}  # ${sourceOf(each, options.config)}\n`;
  });
  const attempt = tried === undefined ? "" : triedText(tried);
  terminal.out(`${lines.join("")}${attempt}${checked.warnings.map(warningLine).join("")}ok\n`);
  finish(exitCodes.done);
}

/** `METHOD URL`; a URL alone is asked for with GET. */
function readRequest(text: string): Asked {
  const [, method = "GET", url = ""] = /^(?:([A-Z][A-Z-]*) +)?(https?:\/\/\S+)$/.exec(text.trim()) ?? [];
  if (URL.canParse(url)) return { method, url };
  throw new InvalidArgumentError(
    'Expected a method and a URL, such as "POST https://shop.example/checkout".',
  );
}

function triedText(tried: TriedRequest): string {
  if ("status" in tried) return `refused with ${tried.status} ${tried.code}: ${tried.detail}\n`;
  const { cutover, route, sides, routes = [] } = tried;
  const kind = sides[0]?.side === "fixed" ? "fixed route" : "no cutover has the path";
  const named = kind === "fixed route" && route !== "none" ? `${kind} ${route}` : kind;
  const place = cutover === "none" ? named : `cutover ${cutover}, route ${route}`;
  const requests = sides.map(({ side, upstream, lines }) =>
    [`${side}: ${upstream}`, ...lines.map((line) => `  ${printable(line)}`)].join("\n"),
  );
  const shared = routeLines({ routes: routes.map(({ when = null, ...each }) => ({ ...each, when })) });
  const others = shared.length === 0 ? [] : ["routes that share the path, the first that holds:", ...shared];
  return `${[place, ...others, ...requests].join("\n")}\n`;
}

const mostPadded = 60;

function valuesOf(
  checked: Problems | Sound,
  { explain }: CheckOptions,
): { readonly values?: readonly ConfigValue[] } {
  return explain === true && checked.ok ? { values: checked.explain?.() ?? [] } : {};
}

function sourceOf({ from }: ConfigValue, file: string): string {
  if (from.kind === "default") return "default";
  const place = `${file}:${from.line}:${from.column}`;
  return from.filled ? `environment, ${place}` : place;
}
