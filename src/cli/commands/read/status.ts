import type { Command } from "commander";
import type { CutoverView } from "../../../admin/api/cutover-view.ts";
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
import { commonLines, statusView } from "../../screen/status-view.ts";
import type { ApiAnswer } from "../../transport.ts";

export function addStatus(program: Command, context: Context): void {
  const command = program
    .command("status")
    .description("where each cutover stands, how both sides fare, who changed it last")
    .argument("[NAME]", "one cutover only", readName);
  withApiOptions(withJson(command)).action((name: string | undefined, options: ApiOptions & JsonOption) =>
    withApi(context, options, async ({ client, terminal, now }) => {
      const answer: ApiAnswer<CutoverView | CutoverView[]> =
        name === undefined ? await client.cutovers() : await client.cutover(name);
      return show(terminal, answer, { url: client.url, name }, options, (value) => {
        const views = Array.isArray(value) ? value : [value];
        const options = { columns: terminal.columns(), style: terminal.style, now: now() };
        return [...commonLines(views, options), ...statusView(views, options)];
      });
    }),
  );
  examples(
    command,
    ["cutover status", "every cutover"],
    ["cutover status checkout --json", "one, as the API gives it"],
  );
}
