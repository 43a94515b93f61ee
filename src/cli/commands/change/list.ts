/** Lists that cohorts are told by: who is counted on one, putting people on it and taking them off, from a file too. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { type Command, Option } from "commander";
import { type ListAnswer, type ListView, mostMembers } from "../../../admin/api/lists/list-view.ts";
import type { Api, Context } from "../../context.ts";
import { type ExitCode, exitCodes, fail, report } from "../../exit.ts";
import { resultOf } from "../../failure.ts";
import { printJson, show, withApi } from "../../frame.ts";
import {
  type ApiOptions,
  examples,
  type JsonOption,
  readReason,
  withApiOptions,
  withJson,
} from "../../options.ts";
import { localTime, plural } from "../../screen/format.ts";
import { printable } from "../../screen/text.ts";

interface ListOptions extends ApiOptions, JsonOption {
  readonly add?: readonly string[];
  readonly remove?: readonly string[];
  readonly import?: string;
  readonly importRemove?: string;
  readonly digests?: true;
  readonly has?: string;
  readonly history?: true;
  readonly reason?: string;
}

export function addList(program: Command, context: Context): void {
  const command = program
    .command("list")
    .description("how many are on a list and who changed it last; or put members on it and take others off")
    .argument("<NAME>", "the list, as the configuration names it")
    .option("--add <MEMBER...>", "put these on it")
    .option("--remove <MEMBER...>", "take these off it")
    .option("--import <FILE>", "put each line of the file on it; only the lines' SHA-256 leave this machine")
    .addOption(new Option("--import-remove <FILE>", "take each line of the file off it").conflicts("import"))
    .option("--digests", "what is given are digests already: 64 or 16 hex digits of SHA-256")
    .option("--has <MEMBER>", "whether this one is on it")
    .option("--history", "its changes, newest first")
    .option("--reason <TEXT>", "why (required to change it)", readReason);
  withApiOptions(withJson(command)).action((name: string, options: ListOptions) => {
    const { add = [], remove = [], reason = "" } = options;
    const file = options.import ?? options.importRemove;
    const changes = add.length + remove.length > 0 || file !== undefined;
    if (changes && reason === "") command.error("error: a reason is required: --reason <TEXT>");
    if (file !== undefined && add.length + remove.length > 0)
      command.error("error: expected either a file or members");
    return withApi(context, options, (api) => {
      if (file !== undefined) return importFile(api, name, file, reason, options);
      if (changes) return change(api, name, reason, options);
      return look(api, name, options);
    });
  });
  examples(
    command,
    ['cutover list staff --add u-1001 u-1002 --reason "second shift"', ""],
    ['cutover list sellers --import sellers.txt --reason "first wave"', "a member a line"],
    ["cutover list staff --has u-1001", "exit code 0 whichever it is"],
    ["cutover list staff --history", ""],
  );
}

async function look(api: Api, name: string, options: ListOptions): Promise<ExitCode> {
  const { client, terminal } = api;
  const { has, history } = options;
  const asked = { url: client.url, isOfList: true };
  if (has !== undefined) {
    return show(terminal, await client.isOnList(name, has), asked, options, (answer) => [
      `${printable(has)} is ${answer.has ? "" : "not "}on ${printable(name)}`,
    ]);
  }
  if (history !== true) return show(terminal, await client.list(name), asked, options, listLines);
  return show(terminal, await client.listHistory(name), asked, options, (entries) =>
    entries.length === 0
      ? ["no change on record"]
      : entries.map(({ version, at, by, added, removed, reason }) =>
          [
            `v${version}`,
            localTime(Date.parse(at)),
            `+${added} -${removed}`,
            printable(by),
            printable(reason),
          ].join("  "),
        ),
  );
}

function listLines({ name, members, loaded, version, updatedAt, updatedBy, reason }: ListView): string[] {
  const here =
    loaded === members ? "" : `, ${loaded.toLocaleString("en-US")} loaded on the instance that answers`;
  return [
    `${printable(name)}: ${members.toLocaleString("en-US")} on it, version ${version}${here}`,
    ...(version === 0
      ? ["never changed"]
      : [`changed ${localTime(Date.parse(updatedAt))} by ${printable(updatedBy)}: ${printable(reason)}`]),
  ];
}

async function change(
  api: Api,
  name: string,
  reason: string,
  { add = [], remove = [], digests, json }: ListOptions,
): Promise<ExitCode> {
  const { client, terminal } = api;
  const form = digests === true ? { form: "digests" as const } : {};
  const answer = await client.changeList(name, { add: [...add], remove: [...remove], ...form, reason });
  const result = resultOf(answer, { url: client.url, isOfList: true, isWrite: true });
  if (!result.ok) return report(terminal, result);
  if (json === true) printJson(terminal, result.value);
  if (!("changed" in result.value)) return tellWaiting(api, 1, 1);
  if (json !== true) terminal.out(`${changedLine(result.value)}\n`);
  return exitCodes.done;
}

function changedLine({ name, members, version, changed }: ListAnswer): string {
  const what = changed ? "" : "nothing to change, ";
  return `${printable(name)}: ${what}${members.toLocaleString("en-US")} on it, version ${version}`;
}

/** @returns 4: nothing of it, or not all, is in force */
function tellWaiting({ terminal }: Api, waiting: number, of: number): ExitCode {
  const what = waiting === of ? "it" : `${waiting} of ${of} parts`;
  return report(
    terminal,
    fail(
      exitCodes.notAppliedEverywhere,
      `proposed: ${what} waits for another person`,
      "They make it by giving the same command.",
    ),
  );
}

async function importFile(
  api: Api,
  name: string,
  file: string,
  reason: string,
  { digests: areDigests, importRemove, json }: ListOptions,
): Promise<ExitCode> {
  const { client, terminal } = api;
  const read = await readDigests(api, file, areDigests === true).catch((error: unknown) =>
    error instanceof Error ? error.message : "it cannot be read",
  );
  if (typeof read === "string") return report(terminal, fail(exitCodes.refused, `${file}: ${read}`));
  if (read.length === 0)
    return report(terminal, fail(exitCodes.refused, `${file}: no line has anything on it`));
  const parts = Math.ceil(read.length / mostMembers);
  let waiting = 0;
  let last: ListAnswer | undefined;
  for (let part = 0; part < parts; part += 1) {
    const slice = read.subarray(part * mostMembers, (part + 1) * mostMembers);
    const members = Array.from(slice, (digest) => digest.toString(16).padStart(16, "0"));
    const what = importRemove === undefined ? { add: members } : { remove: members };
    const of = parts === 1 ? "" : ` (part ${part + 1} of ${parts})`;
    const answer = await client.changeList(name, { ...what, form: "digests", reason: `${reason}${of}` });
    const result = resultOf(answer, { url: client.url, isOfList: true, isWrite: true });
    if (!result.ok) {
      if (terminal.isTty && part > 0) terminal.err("\n");
      const done = part * mostMembers;
      const rest = `${done.toLocaleString("en-US")} of ${read.length.toLocaleString("en-US")} are done: give the same command again for the rest.`;
      const { exit, message, next } = result.failure;
      return report(terminal, fail(exit, message, ...next, ...(done > 0 ? [rest] : [])));
    }
    if ("changed" in result.value) last = result.value;
    else waiting += 1;
    tellProgress(api, Math.min((part + 1) * mostMembers, read.length), read.length);
  }
  if (waiting > 0) return tellWaiting(api, waiting, parts);
  if (last !== undefined) {
    if (json === true) printJson(terminal, last);
    else terminal.out(`${plural(read.length, "member")} read; ${changedLine(last)}\n`);
  }
  return exitCodes.done;
}

const barWidth = 30;

function tellProgress({ terminal }: Api, done: number, of: number): void {
  if (!terminal.isTty) return;
  const full = Math.floor((done / of) * barWidth);
  const bar = "#".repeat(full) + "-".repeat(barWidth - full);
  const end = done === of ? "\n" : "";
  terminal.err(`\r[${bar}] ${done.toLocaleString("en-US")} of ${of.toLocaleString("en-US")}${end}`);
}

const linesATick = 250_000;

/** @returns each digest once, in order: what lies side by side in the list is changed by one call */
async function readDigests({ terminal }: Api, file: string, areDigests: boolean): Promise<BigUint64Array> {
  let found = new BigUint64Array(1024);
  let count = 0;
  let number = 0;
  for await (const text of createInterface({
    input: createReadStream(file),
    crlfDelay: Number.POSITIVE_INFINITY,
  })) {
    number += 1;
    if (terminal.isTty && number % linesATick === 0)
      terminal.err(`\rread ${number.toLocaleString("en-US")} lines`);
    // Spaces are around no value that a request has; a spreadsheet's file begins with a BOM, which goes with them.
    const line = text.trim();
    if (line === "") continue;
    if (line.includes("\ufffd")) throw new Error(`line ${number} is no UTF-8`);
    if (count === found.length) {
      const larger = new BigUint64Array(found.length * 2);
      larger.set(found);
      found = larger;
    }
    found[count] = areDigests ? readDigest(line, number) : digestOf(line);
    count += 1;
  }
  const sorted = found.subarray(0, count).sort();
  let kept = 0;
  for (const digest of sorted) {
    if (kept === 0 || sorted[kept - 1] !== digest) {
      sorted[kept] = digest;
      kept += 1;
    }
  }
  return sorted.subarray(0, kept);
}

function digestOf(member: string): bigint {
  return createHash("sha256").update(member, "utf8").digest().readBigUInt64BE();
}

function readDigest(line: string, number: number): bigint {
  if (/^(?:[0-9a-fA-F]{16}|[0-9a-fA-F]{64})$/.test(line)) return BigInt(`0x${line.slice(0, 16)}`);
  throw new Error(`line ${number} is no digest of 64 or 16 hex digits`);
}
