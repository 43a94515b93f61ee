import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import type { Api, Context } from "../../context.ts";
import type { ServerEvent } from "../../events.ts";
import { type ExitCode, exitCodes, fail, report } from "../../exit.ts";
import { resultOf } from "../../failure.ts";
import { withApi } from "../../frame.ts";
import {
  type ApiOptions,
  examples,
  type JsonOption,
  readName,
  withApiOptions,
  withJson,
} from "../../options.ts";
import { sparkSpanMs } from "../../screen/sparks.ts";
import { printable } from "../../screen/text.ts";
import type { Board } from "../../screen/watch-board.ts";
import { jsonScreen, lineScreen, liveScreen, type Screen } from "../../screen/watch-screen.ts";

export function addWatch(program: Command, context: Context): void {
  const command = program
    .command("watch")
    .description("status, kept current; into a pipe, a line a change")
    .argument("[NAME]", "one cutover only", readName);
  withApiOptions(withJson(command, "a JSON object a line: snapshots, changes, figures")).action(
    (name: string | undefined, options: ApiOptions & JsonOption) =>
      withApi(context, options, (api) => watch(api, name, options.json === true)),
  );
  examples(
    command,
    ["cutover watch", "every cutover, until Ctrl-C"],
    ["cutover watch checkout >> changes.log", "a line a change"],
    ["cutover watch --json | jq .", "for programs"],
  );
}

/** How often the figures of the last minutes are asked for: a step of theirs has 10 s. */
const seriesMs = 10_000;
/** More cutovers than these fit on no screen. */
const mostSeries = 12;

/** Fetches what no event tells, for a screen that draws it, until the signal. What is not told is not drawn. */
async function fetchSeries({ client, now }: Api, board: Board, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const since = new Date(now() - sparkSpanMs).toISOString();
    for (const { name } of board.views().slice(0, mostSeries)) {
      const answer = await client.series(name, since);
      if (answer.kind === "ok") board.takeSeries(name, answer.value);
    }
    await sleep(board.views().length === 0 ? 500 : seriesMs, undefined, { signal }).catch(() => undefined);
  }
}

async function watch(api: Api, name: string | undefined, isJson: boolean): Promise<ExitCode> {
  const { terminal } = api;
  const stop = new AbortController();
  const leave = terminal.onStop(() => stop.abort());
  const signal = AbortSignal.any([stop.signal, terminal.closed]);
  const isDrawn = !isJson && terminal.isTty;
  const makeScreen = isJson ? jsonScreen : isDrawn ? liveScreen : lineScreen;
  const over = new AbortController();
  let screen: Screen | undefined;
  try {
    // What reads the events is costly to load: no other command waits for it.
    const { createBoard } = await import("../../screen/watch-board.ts");
    const board = createBoard(name);
    if (isDrawn) void fetchSeries(api, board, AbortSignal.any([signal, over.signal]));
    return await follow(api, name, signal, board, () => {
      screen ??= makeScreen(api);
      return screen;
    });
  } finally {
    over.abort();
    screen?.end();
    leave();
  }
}

/** The server ticks each second: this long without a word, and the connection is as good as dead. */
const silenceMs = 5000;
const retryAfterMs = [500, 1000, 2000, 5000] as const;

/** Follows until the signal; the first connection must succeed, later ones are tried for ever. */
async function follow(
  api: Api,
  name: string | undefined,
  signal: AbortSignal,
  board: Board,
  screen: () => Screen,
): Promise<ExitCode> {
  const { client, terminal, now } = api;
  let lastWord: number | undefined;
  let failures = 0;

  while (!signal.aborted) {
    const link = new AbortController();
    const answer = await client.events(AbortSignal.any([signal, link.signal]));
    if (signal.aborted) break;
    const result = resultOf(answer, { url: client.url });
    const isFinal = answer.kind === "refused" && answer.problem.status < 500;
    if (!result.ok && (lastWord === undefined || isFinal)) return report(terminal, result);

    let why = result.ok ? "" : answer.kind === "unreachable" ? answer.why : result.failure.message;
    if (result.ok) {
      let isMissing = false;
      why = await listen(result.value, link, (event) => {
        const update = board.take(event);
        if (update === undefined) return;
        lastWord = now();
        failures = 0;
        isMissing = update.kind === "snapshot" && name !== undefined && board.views().length === 0;
        if (isMissing) link.abort();
        else screen().show(update, board);
      });
      if (isMissing) {
        const asked = resultOf(await client.cutover(name ?? ""), { url: client.url, name });
        if (!asked.ok) return report(terminal, asked);
        const message = `there is no cutover ${printable(name ?? "")}`;
        return report(terminal, fail(exitCodes.refused, message, "The names there are: cutover status"));
      }
    }
    if (signal.aborted) break;
    screen().lost(why, lastWord ?? now(), board);
    const wait = retryAfterMs[Math.min(failures, retryAfterMs.length - 1)] ?? 0;
    failures += 1;
    await sleep(wait * (0.8 + 0.4 * Math.random()), undefined, { signal }).catch(() => undefined);
  }
  return exitCodes.done;
}

/** Hands on events until the stream ends, breaks or falls silent. @returns which of them */
async function listen(
  events: AsyncIterable<ServerEvent>,
  link: AbortController,
  take: (event: ServerEvent) => void,
): Promise<string> {
  const silence = setTimeout(() => link.abort(), silenceMs);
  try {
    for await (const event of events) {
      silence.refresh();
      take(event);
      if (link.signal.aborted) break;
    }
    return "the stream ended";
  } catch {
    return link.signal.aborted ? `no word for ${silenceMs / 1000} s` : "the connection broke";
  } finally {
    clearTimeout(silence);
  }
}
