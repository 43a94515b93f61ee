/** `--dry-run`: what a change would do, by the same rule book, without asking for it. */
import type { CutoverView } from "../../../admin/api/cutover-view.ts";
import { foresee, historyLimits, percentIn, pointsRaisedBy } from "../../../admin/api/rules.ts";
import type { WriteCall } from "../../client.ts";
import type { Api } from "../../context.ts";
import { type ExitCode, exitCodes, fail, report } from "../../exit.ts";
import { nextFor, resultOf } from "../../failure.ts";
import { printJson } from "../../frame.ts";
import { percentWord } from "../../options.ts";
import { age, plural, proposedText, standing, underWayNames } from "../../screen/format.ts";
import { linesFor } from "../../screen/terminal.ts";
import { printable, shellWord } from "../../screen/text.ts";
import { isLargeRaise } from "./confirm.ts";

interface DryRun {
  readonly name: string;
  readonly call: WriteCall;
  readonly isJson: boolean;
  /** Another person has proposed it, and this is the second. */
  readonly isApproval?: boolean;
  /** Takes the JSON; without it, that is printed. */
  readonly onJson?: (value: object) => void;
}

/** @returns the exit code of the command itself: 0 when it would be done, 1 when it would be refused, 4 when proposed */
export async function dryRun(
  api: Api,
  { name, call: asked, isJson, isApproval = false, onJson }: DryRun,
): Promise<ExitCode> {
  const { call, body } = asked;
  const cohort = asked.call === "percent" ? asked.cohort : undefined;
  const { client, terminal } = api;
  const tell = onJson ?? ((value: object) => printJson(terminal, value));
  const { url } = client;
  const result = resultOf(await client.cutover(name), { url, name });
  if (!result.ok) return report(terminal, result);
  const who = await client.whoAmI();
  const { approval, ...unlimited } = result.value;
  const view = isApproval ? unlimited : result.value;
  const role = who.kind === "ok" ? who.value.role : "admin";
  const isRaise = call === "percent" && !isApproval && approval !== undefined && approval.windowSeconds > 0;
  const raised =
    isRaise && who.kind === "ok" ? await raisedLately(api, name, who.value.name, approval, cohort) : 0;
  const foreseen = foresee(view, { call, cohort, ...body }, role, raised);
  if (foreseen === undefined) return report(terminal, fail(exitCodes.usage, "not a percent"));
  const from = { percent: percentIn(view, cohort), state: view.state, version: view.version };
  if (foreseen.kind === "refused") {
    const { code } = foreseen;
    const { journeys, unfinished } = view;
    const left = code === "under_way" ? { journeys, unfinished } : {};
    if (isJson) tell({ dryRun: true, name, from, refused: code, ...left });
    const stands = `It stands at ${standing(view)}.`;
    const listed = code === "under_way" ? leftOnLegacy(view, api.now()) : [];
    const next = nextFor(code, { url, name, call });
    return report(
      terminal,
      fail(exitCodes.refused, `dry run: it would be refused (${code})`, stands, ...listed, ...next),
    );
  }
  const { changed, to } = foreseen;
  const isProposed = foreseen.kind === "proposed";
  const asks = call === "percent" && !isApproval && isLargeRaise(from, to.percent);
  const closing = call === "close" ? { journeys: view.journeys, unfinished: view.unfinished } : {};
  if (isJson) {
    const asksToConfirm = asks || (call === "close" && !isApproval);
    tell({ dryRun: true, name, from, to, changed, asksToConfirm, isProposed, ...closing });
  } else {
    const isForced = asked.call === "close" && asked.body.force === true;
    const told = { changed, asks, call, isApproval, isForced, isProposed, now: api.now() };
    const label = cohort === undefined ? name : `${name}/${cohort}`;
    terminal.out(linesFor(terminal, describe({ ...view, ...from, name: label }, to, told)));
  }
  return isProposed ? exitCodes.notAppliedEverywhere : exitCodes.done;
}

interface Told {
  readonly changed: boolean;
  readonly asks: boolean;
  readonly call: WriteCall["call"];
  /** Whether another person's proposal would be approved: that names it, and is asked for nothing more. */
  readonly isApproval: boolean;
  /** Whether what is under way on legacy is given up. */
  readonly isForced: boolean;
  /** Whether it would wait for another person. */
  readonly isProposed: boolean;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** Points; 0 when the API does not say. */
async function raisedLately(
  { client, now }: Api,
  name: string,
  who: string,
  { windowSeconds }: NonNullable<CutoverView["approval"]>,
  cohort: string | undefined,
): Promise<number> {
  const since = new Date(now() - windowSeconds * 1000).toISOString();
  const query = { limit: historyLimits.most, since };
  const answer = await client.history(name, query);
  return answer.kind === "ok" ? pointsRaisedBy(who, answer.value, since, cohort) : 0;
}

/** The lines a person reads. PURE. */
function describe(
  from: CutoverView,
  to: Pick<CutoverView, "percent" | "state" | "version">,
  { changed, asks, call, isApproval, isForced, isProposed, now }: Told,
): string[] {
  const name = printable(from.name);
  if (call === "maintenance") {
    return [
      changed ? `dry run: maintenance of ${name} would be set` : `dry run: ${name} stands so already`,
      "nothing was changed",
    ];
  }
  if (!changed) return [`dry run: ${name} stands so already: ${standing(from)}`];
  const moved = Math.round((to.percent - from.percent) * 1000) / 1000;
  return [
    `dry run: ${name} would go from ${standing(from)} to ${standing(to)}`,
    `new journeys of ${outOf(from.percent)} shoppers start on new → ${outOf(to.percent)}` +
      (moved === 0 ? "" : ` (${outOf(Math.abs(moved))} move to ${moved > 0 ? "new" : "legacy"})`),
    ...(moved < 0 ? underWayOnNew(from) : []),
    ...(moved < 0 && typeof from.maintenance?.legacy === "string"
      ? [`! legacy is in maintenance until ${from.maintenance.legacy}: what would go there is answered 503`]
      : []),
    ...(call === "close" ? leftOnLegacy(from, now) : []),
    ...(isForced ? ["--force: what legacy has under way is given up"] : []),
    ...(isProposed ? proposed(from, call) : []),
    ...(asks ? [`it asks to be confirmed: --confirm=${percentWord(to.percent)}`] : []),
    ...(call === "close" && !isApproval
      ? [`it asks to be confirmed: --confirm ${shellWord(printable(from.name))}`]
      : []),
    ...(call === "close" ? ["there is no way back from it"] : []),
    "nothing was changed",
  ];
}

function proposed({ name: label, approval, proposal }: CutoverView, call: WriteCall["call"]): string[] {
  if (approval === undefined) return [];
  const [name = ""] = label.split("/");
  const { over, ttlSeconds, windowSeconds } = approval;
  const points = over === 1 ? "1 point" : `${over} points`;
  const window = windowSeconds > 0 ? ` within ${age(windowSeconds * 1000)}` : "";
  const why = call === "close" ? "closing" : `a raise by more than ${points}${window}`;
  const waits = `it would be a proposal, since ${why} waits for another person: not in force`;
  return [
    `${waits} before they approve it, within ${age(ttlSeconds * 1000)}`,
    ...(proposal === undefined
      ? []
      : [`it would take the place of ${printable(proposal.by)}'s, ${proposedText(proposal)}`]),
    `they approve it by: cutover approve ${shellWord(printable(name))} and its id`,
  ];
}

/** What a close would give up. */
export function leftOnLegacy({ journeys, unfinished }: CutoverView, now: number): string[] {
  const line = (of: CutoverView["journeys"], one: "journey" | "order", what: string) => {
    if (of === null) return [];
    const { open, atLeast, oldestStartedAt } = of.legacy;
    const oldest =
      oldestStartedAt === null
        ? ""
        : `, the oldest begun ${age(Math.max(0, now - Date.parse(oldestStartedAt)))} ago`;
    return [
      `legacy has ${atLeast ? "at least " : ""}${open} ${what}${oldest}`,
      ...underWayNames(of.legacy, one),
    ];
  };
  const lines = [
    ...line(journeys, "journey", "journeys under way"),
    ...line(unfinished, "order", "unfinished orders"),
  ];
  return lines.length === 0 ? ["what legacy has under way is not counted, or not known now"] : lines;
}

function underWayOnNew({ journeys }: CutoverView): string[] {
  if (journeys === null) return [];
  const { open, atLeast } = journeys.new;
  const number = `${atLeast ? "at least " : ""}${plural(open, "journey")}`;
  return [`${number} under way on new: finished there, unless it is a rollback --hard`];
}

/** 25 → `25 in 100`, 0.025 → `25 in 100,000`. */
function outOf(percent: number): string {
  const thousandths = Math.round(percent * 1000);
  const digits = [1000, 100, 10].find((each) => thousandths % each === 0) ?? 1;
  return `${(thousandths / digits).toLocaleString("en-US")} in ${(100_000 / digits).toLocaleString("en-US")}`;
}
