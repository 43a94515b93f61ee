/** What an answer that is not the hoped-for one means to the person who typed the command, and what to do next. */
import type { ProblemCode } from "../admin/api/problem-details.ts";
import { exitCodes, fail, type Result, succeed } from "./exit.ts";
import { standing, underWayNames } from "./screen/format.ts";
import { printable, shellWord } from "./screen/text.ts";
import type { ApiAnswer } from "./transport.ts";

export interface Asked {
  readonly url: string;
  /** The cutover it was about, where it was about one. */
  readonly name?: string | undefined;
  /** Whether it would have changed something. */
  readonly isWrite?: boolean;
  /** What it would have been: for a rollback or a hold there are other ways when this one fails. */
  readonly call?: string;
  /** Whether a path was asked about, which may be on no route. */
  readonly isOfPath?: boolean;
  /** Whether a version of the history was asked about, which may not be in it. */
  readonly isOfVersion?: boolean;
  /** A list was asked for, and no cutover. */
  readonly isOfList?: boolean;
}

export function resultOf<T>(answer: ApiAnswer<T>, asked: Asked): Result<T> {
  switch (answer.kind) {
    case "ok":
      return succeed(answer.value);
    case "refused": {
      const { code, detail, title, current, underWay } = answer.problem;
      const said = `refused (${code}): ${printable(detail ?? title)}`;
      const stands = current === undefined ? [] : [`It stands at ${standing(current)}.`];
      const left = [
        ...underWayNames(underWay?.journeys, "journey"),
        ...underWayNames(underWay?.unfinished, "order"),
      ];
      return fail(exitCodes.refused, said, ...left, ...stands, ...nextFor(code, asked));
    }
    case "unreachable":
      return fail(
        exitCodes.outOfReach,
        `the admin API at ${asked.url} is out of reach: ${printable(answer.why)}`,
        ...afterSilence(asked, answer.sent),
        "Is the instance running? Its address: --admin-url URL or CUTOVER_ADMIN_URL.",
        ...otherWays(asked),
      );
    case "foreign":
      return fail(
        exitCodes.outOfReach,
        `${asked.url} answers (HTTP ${answer.status}), but not as cutover's admin API`,
        ...afterSilence(asked, answer.sent),
        "Is this the admin listener, and not the proxy's? Set --admin-url URL or CUTOVER_ADMIN_URL.",
        ...otherWays(asked),
      );
  }
}

function afterSilence(asked: Asked, sent: boolean): string[] {
  if (asked.isWrite !== true) return [];
  if (!sent) return ["Nothing was sent, so nothing was changed."];
  return [`Whether the change was made is not known. Look before you repeat it: ${command("status", asked)}`];
}

function otherWays({ call, name }: Asked): string[] {
  if (call !== "rollback" && call !== "hold") return [];
  return [
    "Any other instance takes it as well. When none answers, straight to the store:",
    `  cutover ${call} ${name === undefined ? "--all" : shellWord(name)} --direct redis://HOST:PORT`,
    "Without the store, on each host: kill -USR1 PID rolls back everything there (docs/runbooks/rollback.md).",
  ];
}

type Next = (asked: Asked) => readonly string[];

/** By problem code; a code this version does not know has none. */
const next: Readonly<Partial<Record<string, Next>>> = {
  unauthenticated: () => [
    "Set CUTOVER_TOKEN, or pass --token-file FILE, with a token this instance knows.",
    "Or sign in at its issuer: cutover login",
  ],
  too_many_attempts: () => [
    "A right token of the configuration is let in all the same: is CUTOVER_TOKEN one?",
  ],
  issuer_unavailable: () => ["Use a token of the configuration: it needs no issuer."],
  forbidden: ({ call }) => [
    call === "approve"
      ? "Whoever has the role operator and another name approves it by the same command."
      : "A responder lowers, holds and rolls back; an operator also raises, resumes and maintains; an admin also closes.",
  ],
  not_found: ({ isOfPath, isOfVersion, isOfList, ...asked }) => [
    isOfList === true
      ? "The names there are: lists, in the configuration"
      : "The names there are: cutover status",
    ...(isOfVersion === true ? [`And the versions there are: ${command("history", asked)}`] : []),
    ...(isOfPath === true
      ? ["Or no route of it has this path and method, or is for this host: see its routes."]
      : []),
  ],
  version_conflict: (asked) => [
    `Somebody changed it first. Look: ${command("history", asked)}; then repeat with its version, or without.`,
  ],
  approval_required: (asked) => [`Propose it anew: ${command("set", asked)} PERCENT --reason TEXT`],
  held: (asked) => [`To let it be raised again: ${command("resume", asked)} --reason TEXT`],
  rolled_back: (asked) => [`It is latched at 0%. First: ${command("resume", asked)} --reason TEXT`],
  under_way: (asked) => {
    const isClose = asked.call === "close" || asked.call === "approve";
    if (isClose)
      return [`Wait until they are finished: ${command("status", asked)}. To give them up: --force`];
    return [
      `Look who has it: ${command("owner", asked)} KEY; once it is known what became of the request: --force`,
    ];
  },
  cohort_on_legacy: (asked) => [
    `Take its side: legacy out of the configuration, or give it up: ${command("close", asked)} --force`,
  ],
  without_effect: () => ["Each stands by its own and in effect: cutover status"],
  out_of_order: () => ["What the others go after closes first: cutover status"],
  in_window: (asked) => [`Until when: ${command("status", asked)}. If it has to be now: --override`],
  frozen: () => ["What is frozen: cutover freeze. An operator lifts it: cutover unfreeze --reason TEXT"],
  not_complete: (asked) => [
    `It closes at 100%, and so do its cohorts: ${command("set", asked)} 100 --reason TEXT`,
    "How each stands, and what holds it back: cutover status",
  ],
  store_unavailable: ({ isWrite }) => [
    ...(isWrite === true
      ? ["This change will not land later either; the instances keep their last state."]
      : []),
    "Repeat it when the store is back.",
  ],
  internal: (asked) => [...afterSilence(asked, true), "The instance's log has the cause."],
} satisfies Partial<Record<ProblemCode, Next>>;

/** What to do about a problem of this code. */
export function nextFor(code: string, asked: Asked): readonly string[] {
  return next[code]?.(asked) ?? [];
}

function command(verb: string, { name }: Asked): string {
  return name === undefined ? `cutover ${verb}` : `cutover ${verb} ${shellWord(name)}`;
}
