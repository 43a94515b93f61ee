/**
 * Shell completion, made from the commands themselves, so that it never lags behind them. The names of cutovers are
 * asked for when they are wanted, by a command that no help shows: an API out of reach completes nothing, and says so
 * to nobody.
 */
import { Argument, type Command } from "commander";
import type { Context } from "../../context.ts";
import { exitCodes } from "../../exit.ts";
import { withApi } from "../../frame.ts";
import { type ApiOptions, examples, withApiOptions } from "../../options.ts";

const shells = ["bash", "zsh", "fish"] as const;
type Shell = (typeof shells)[number];

interface Word {
  readonly name: string;
  readonly does: string;
}

interface Verb extends Word {
  /** Whether a cutover's name comes first. */
  readonly takesName: boolean;
  readonly options: readonly (Word & { readonly takesValue: boolean; readonly choices: readonly string[] })[];
}

export function addCompletion(program: Command, context: Context): void {
  const command = program
    .command("completion")
    .description("print what makes a shell complete commands and options")
    .addArgument(new Argument("<SHELL>", "which one").choices(shells));
  command.action((shell: Shell) => {
    context.terminal.out(scripts[shell](verbsOf(program)));
    context.finish(exitCodes.done);
  });
  examples(
    command,
    ["cutover completion bash > /etc/bash_completion.d/cutover", "for everybody"],
    ["cutover completion zsh > ~/.zfunc/_cutover", "a folder of fpath"],
    ["cutover completion fish > ~/.config/fish/completions/cutover.fish", ""],
  );
  withApiOptions(program.command(namesCommand, { hidden: true })).action((options: ApiOptions) =>
    withApi(context, options, async ({ client, terminal }) => {
      const answer = await client.cutovers();
      if (answer.kind !== "ok") return exitCodes.refused;
      // A name that a shell would read as more than a word is left out.
      const names = answer.value.map(({ name }) => name).filter((name) => /^[\w-]+$/.test(name));
      terminal.out(names.map((name) => `${name}\n`).join(""));
      return exitCodes.done;
    }),
  );
}

const namesCommand = "complete-names";

function verbsOf(program: Command): Verb[] {
  const shown = program.createHelp().visibleCommands(program);
  return shown.map((command) => ({
    name: command.name(),
    takesName: command.registeredArguments[0]?.name().toLowerCase() === "name",
    does: command.description(),
    options: [...command.options, ...helpOf(command)].map(
      ({ long, description, required, optional, argChoices }) => ({
        name: long ?? "",
        does: description,
        takesValue: required || optional,
        choices: argChoices ?? [],
      }),
    ),
  }));
}

function helpOf(command: Command) {
  return command
    .createHelp()
    .visibleOptions(command)
    .filter(({ long }) => long === "--help");
}

/** In single quotes, as all three shells read it. */
const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

const scripts: Readonly<Record<Shell, (verbs: readonly Verb[]) => string>> = {
  bash: (verbs) => `# bash completion of cutover
_cutover() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} verb=\${COMP_WORDS[1]} words=
  if [ "$COMP_CWORD" -eq 1 ]; then
    words=${quoted(verbs.map(({ name }) => name).join(" "))}
  else
    case "$verb $COMP_CWORD" in
      ${namesOf(verbs, "|", (name) => `"${name} 2"`)}) [[ $word == -* ]] || words=$(cutover ${namesCommand} 2>/dev/null) ;;
    esac
    [ -n "$words" ] || case "$verb $before" in
${verbs.flatMap(valueCases).join("\n")}
      *)
        case "$verb" in
${verbs.map(({ name, options }) => `          ${name}) words=${quoted(options.map((each) => each.name).join(" "))} ;;`).join("\n")}
        esac ;;
    esac
  fi
  COMPREPLY=( $(compgen -W "$words" -- "$word") )
}
complete -o default -F _cutover cutover
`,
  zsh: (verbs) => `#compdef cutover
_cutover() {
  local -a verbs options
  verbs=(${verbs.map(({ name, does }) => quoted(`${name}:${does}`)).join(" ")})
  if (( CURRENT == 2 )); then
    _describe command verbs
    return
  fi
  case $words[2] in
${verbs.map(({ name, options }) => `    ${name}) options=(${options.map((each) => quoted(`${each.name}:${each.does}`)).join(" ")}) ;;`).join("\n")}
  esac
  if (( CURRENT == 3 )) && [[ $PREFIX != -* && $words[2] == (${namesOf(verbs, "|")}) ]]; then
    compadd -- \${(f)"$(cutover ${namesCommand} 2>/dev/null)"}
    return
  fi
  if [[ $PREFIX == -* ]]; then _describe option options; else _files; fi
}
compdef _cutover cutover
# Found in fpath, this file is the function's first call.
if [[ $funcstack[1] == _cutover ]]; then _cutover "$@"; fi
`,
  fish: (verbs) =>
    `# fish completion of cutover
${verbs
  .flatMap(({ name, does, takesName, options }) => [
    `complete -c cutover -f -n __fish_use_subcommand -a ${name} -d ${fishQuoted(does)}`,
    ...(takesName
      ? [
          `complete -c cutover -f -n '__fish_seen_subcommand_from ${name}; and test (count (commandline -opc)) -eq 2' -a '(cutover ${namesCommand} 2>/dev/null)'`,
        ]
      : []),
    ...options.map(({ name: long, does: what, takesValue, choices }) => {
      const value = choices.length > 0 ? ` -x -a ${fishQuoted(choices.join(" "))}` : takesValue ? " -r" : "";
      return `complete -c cutover -n '__fish_seen_subcommand_from ${name}' -l ${long.slice(2)}${value} -d ${fishQuoted(what)}`;
    }),
  ])
  .join("\n")}
`,
};

function namesOf(verbs: readonly Verb[], gap: string, as = (name: string) => name): string {
  return verbs
    .filter(({ takesName }) => takesName)
    .map(({ name }) => as(name))
    .join(gap);
}

/** What stands after an option that takes one of a few values, or a file. */
function valueCases({ name, options }: Verb): string[] {
  return options
    .filter(({ takesValue }) => takesValue)
    .map(
      ({ name: option, choices }) =>
        `      ${quoted(`${name} ${option}`)}) words=${quoted(choices.join(" "))} ;;`,
    );
}

function fishQuoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
