import { type Command, Option } from "commander";
import { tokenRoles } from "../../../admin/api/rules.ts";
import type { Context } from "../../context.ts";
import { exitCodes } from "../../exit.ts";
import { printJson } from "../../frame.ts";
import { examples, type JsonOption, readTokenName, withJson } from "../../options.ts";

interface TokenOptions extends JsonOption {
  readonly name: string;
  readonly role: string;
}

export function addToken(program: Command, context: Context): void {
  const command = program
    .command("token")
    .description("make a secret for the admin API: shown once, here; the configuration holds its SHA-256")
    .option("--name <NAME>", "who it is for: stands in the history as by", readTokenName, "ops")
    .addOption(new Option("--role <ROLE>", "what it may do").choices(tokenRoles).default(tokenRoles[0]));
  withJson(command, "print { secret, name, role, sha256 }").action(async (options: TokenOptions) => {
    const { name, role } = options;
    const made = { ...(await makeToken()), name, role };
    if (options.json === true) printJson(context.terminal, made);
    else context.terminal.out(`${tokenView(made).join("\n")}\n`);
    context.finish(exitCodes.done);
  });
  examples(
    command,
    ["cutover token --name ana --role operator", "one a person: the history then says who"],
    ["cutover token --name pager --role responder", "may lower, hold and roll back"],
  );
}

/** 256 random bits, and the SHA-256 of the secret's text in lower-case hex. */
export async function makeToken(): Promise<{ readonly secret: string; readonly sha256: string }> {
  // The other commands start without it.
  const { createHash, randomBytes } = await import("node:crypto");
  const secret = `cutover_${randomBytes(32).toString("base64url")}`;
  return { secret, sha256: createHash("sha256").update(secret).digest("hex") };
}

function tokenView(made: { secret: string; name: string; role: string; sha256: string }): string[] {
  return [
    "The secret, shown this once. Keep it where passwords are kept; pass it as CUTOVER_TOKEN or --token-file:",
    "",
    `  ${made.secret}`,
    "",
    "For the configuration, under auth: tokens:",
    "",
    `  - { name: ${made.name}, role: ${made.role}, sha256: ${made.sha256} }`,
  ];
}
