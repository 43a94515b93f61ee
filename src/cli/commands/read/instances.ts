import type { Command } from "commander";
import type { CutoverView, SilentInstance } from "../../../admin/api/cutover-view.ts";
import type { InstanceView } from "../../../admin/api/instance-view.ts";
import type { Context } from "../../context.ts";
import { show, withApi } from "../../frame.ts";
import { type ApiOptions, examples, type JsonOption, withApiOptions, withJson } from "../../options.ts";
import { age, onThisClock, plural } from "../../screen/format.ts";
import { flow, printable } from "../../screen/text.ts";

export function addInstances(program: Command, context: Context): void {
  const command = program
    .command("instances")
    .description(
      "who runs: each instance's name, address, process, versions and configuration; who has fallen silent",
    );
  withApiOptions(withJson(command)).action((options: ApiOptions & JsonOption) =>
    withApi(context, options, async ({ client, terminal, now }) => {
      const [answer, cutovers] = await Promise.all([client.instances(), client.cutovers()]);
      const silent = cutovers.kind === "ok" ? silentIn(cutovers.value) : [];
      return show(terminal, answer, { url: client.url }, options, (instances) =>
        instancesView(instances, terminal.columns(), now(), silent),
      );
    }),
  );
  examples(
    command,
    ["cutover instances", "where to find each, also of those that are not heard of"],
    ["cutover instances --json", "as the API gives it"],
  );
}

/** An instance that is not heard of, with the version of each cutover it decided by. */
type Silent = Omit<SilentInstance, "version" | "until"> & { readonly versions: Record<string, number> };

function silentIn(cutovers: readonly CutoverView[]): Silent[] {
  const found = new Map<string, Silent>();
  for (const { name, instances } of cutovers) {
    for (const { version, until: _, ...one } of instances.silent) {
      found.set(one.id, { ...one, versions: { ...found.get(one.id)?.versions, [name]: version } });
    }
  }
  return [...found.values()];
}

/** A line or two for each. PURE. */
export function instancesView(
  instances: readonly InstanceView[],
  columns: number,
  now: number,
  silent: readonly Silent[] = [],
): string[] {
  const hashes = new Set(instances.flatMap(({ config }) => config?.hash ?? []));
  const all = [
    ...instances.map((each) => piecesOf(each, now)),
    ...silent.map((each) => silentPieces(each, now)),
  ];
  const lines = all.flatMap((pieces) => {
    return flow(pieces, "  ", columns - 2, pieces.length).map((line, index) =>
      index === 0 ? line : `  ${line}`,
    );
  });
  const missing = silent.length === 0 ? "" : `, ${silent.length} silent`;
  const said = `${plural(instances.length, "instance")} heard of${missing}`;
  return [...lines, hashes.size > 1 ? `${said}, by ${hashes.size} different configurations` : said];
}

function silentPieces({ id, name, address, pid, since, versions }: Silent, now: number): string[] {
  return [
    `! ${printable(name)}`,
    ...(name === id ? [] : [`id ${printable(id)}`]),
    ...(address === null ? [] : [`admin ${printable(address)}`]),
    ...(pid === null ? [] : [`pid ${pid}`]),
    `silent since ${onThisClock(printable(since), now)}`,
    ...Object.entries(versions).map(([cutover, version]) => `${printable(cutover)} v${version}`),
  ];
}

function piecesOf(
  { id, name, address, pid, startedAt, versions, config }: InstanceView,
  now: number,
): string[] {
  const started = Date.parse(startedAt);
  return [
    printable(name),
    ...(name === id ? [] : [`id ${printable(id)}`]),
    ...(address === null ? [] : [`admin ${printable(address)}`]),
    ...(pid === null ? [] : [`pid ${pid}`]),
    ...(Number.isNaN(started) ? [] : [`up ${age(Math.max(0, now - started))}`]),
    ...Object.entries(versions).map(([cutover, version]) => `${printable(cutover)} v${version}`),
    ...(config === null
      ? []
      : [
          `configuration ${printable(config.hash)}`,
          `of ${onThisClock(printable(config.loadedAt), now)}`,
          ...(config.refusedAt === null
            ? []
            : [`! reload refused at ${onThisClock(printable(config.refusedAt), now)}`]),
        ]),
  ];
}
