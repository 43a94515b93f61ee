import type { Command } from "commander";
import type { InstanceView } from "../../../admin/api/instance-view.ts";
import type { Context } from "../../context.ts";
import { show, withApi } from "../../frame.ts";
import { type ApiOptions, examples, type JsonOption, withApiOptions, withJson } from "../../options.ts";
import { age, onThisClock, plural } from "../../screen/format.ts";
import { flow, printable } from "../../screen/text.ts";

export function addInstances(program: Command, context: Context): void {
  const command = program
    .command("instances")
    .description("who is heard of: each instance's name, address, process, versions and configuration");
  withApiOptions(withJson(command)).action((options: ApiOptions & JsonOption) =>
    withApi(context, options, async ({ client, terminal, now }) =>
      show(terminal, await client.instances(), { url: client.url }, options, (instances) =>
        instancesView(instances, terminal.columns(), now()),
      ),
    ),
  );
  examples(
    command,
    ["cutover instances", "where to find each; those not heard of: cutover status"],
    ["cutover instances --json", "as the API gives it"],
  );
}

/** A line or two for each. PURE. */
export function instancesView(instances: readonly InstanceView[], columns: number, now: number): string[] {
  const hashes = new Set(instances.flatMap(({ config }) => config?.hash ?? []));
  const lines = instances.flatMap((instance) => {
    const pieces = piecesOf(instance, now);
    return flow(pieces, "  ", columns - 2, pieces.length).map((line, index) =>
      index === 0 ? line : `  ${line}`,
    );
  });
  const said = `${plural(instances.length, "instance")} heard of`;
  return [...lines, hashes.size > 1 ? `${said}, by ${hashes.size} different configurations` : said];
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
