/** No command ends without a word, whatever answers in the place of the admin API. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startBrokenServers } from "../support/broken-servers.ts";
import { runCutover } from "../support/cutover.ts";
import { createPaperTerminal, runOnPaper } from "../support/paper-terminal.ts";
import { until } from "../support/until.ts";

const because = ["--reason", "x", "--wait", "0"];
const folder = mkdtempSync(join(tmpdir(), "cutover-broken-servers-"));
const target = join(folder, "target.yaml");
writeFileSync(target, "reason: x\ncutovers:\n  checkout: { percent: 5 }\n");
/** Every command that asks the API, as it is typed. */
const asked: Readonly<Record<string, readonly (readonly string[])[]>> = {
  status: [["status"], ["status", "checkout"], ["status", "--json"]],
  watch: [["watch"], ["watch", "--json"]],
  instances: [["instances"]],
  history: [["history", "checkout"]],
  annotate: [["annotate", "checkout", "4", "--reason", "x"]],
  explain: [["explain", "checkout", "--shopper", "1"]],
  set: [
    ["set", "checkout", "5", ...because],
    ["set", "checkout", "5", ...because, "--dry-run"],
    ["set", "checkout", "90", ...because, "--confirm=90"],
  ],
  rollback: [["rollback", "checkout", "--wait", "0"]],
  hold: [
    ["hold", "checkout", "--wait", "0"],
    ["hold", "--all", "--wait", "0"],
  ],
  resume: [["resume", "checkout", ...because]],
  close: [["close", "checkout", ...because, "--confirm", "checkout"]],
  approve: [["approve", "checkout", "f3a1c09b"]],
  withdraw: [
    ["withdraw", "checkout"],
    ["withdraw", "checkout", "0f3a9c1e"],
  ],
  owner: [
    ["owner", "checkout", "INV-7"],
    ["owner", "checkout", "INV-7", "--set", "new", "--reason", "x"],
  ],
  doubt: [
    ["doubt", "checkout"],
    ["doubt", "checkout", "--settle", "0123456789abcdef", "--reason", "x"],
  ],
  guard: [["guard", "checkout"]],
  gate: [["gate", "checkout"]],
  plan: [
    ["plan", "checkout"],
    ["plan", "checkout", "pause", "--reason", "x"],
  ],
  maintenance: [["maintenance", "checkout", "legacy", "--until", "2h", ...because]],
  list: [
    ["list", "staff"],
    ["list", "staff", "--add", "ana", "--reason", "x"],
    ["list", "staff", "--has", "ana"],
    ["list", "staff", "--history"],
  ],
  freeze: [["freeze"], ["freeze", "--until", "2h", "--reason", "x"]],
  schedule: [
    ["schedule", "checkout"],
    ["schedule", "checkout", "cancel", "0f3a9c1e"],
  ],
  apply: [
    ["apply", "--file", target, "--dry-run"],
    ["apply", "--file", target, "--reason", "x"],
  ],
  unfreeze: [["unfreeze", "--reason", "x"]],
  login: [["login"]],
};
/** Those that ask nobody, or that find out what is wrong and say it in a list. */
const others = ["serve", "demo", "check", "doctor", "token", "completion", "help", "logout", "simulate"];

let broken: Awaited<ReturnType<typeof startBrokenServers>>;
beforeAll(async () => {
  broken = await startBrokenServers();
});
afterAll(async () => {
  await broken.close();
  rmSync(folder, { recursive: true });
});

test("every command is walked", async () => {
  const { stdout } = await runOnPaper(["--help"]);
  const [, list = ""] = /\nCommands:\n(.*?)\n\n/s.exec(stdout) ?? [];
  const shown = [...list.matchAll(/^ {2}([a-z]+)/gm)].map(([, name]) => name);
  expect(shown.length).toBeGreaterThan(15);
  expect(shown.filter((name = "") => !(name in asked) && !others.includes(name))).toEqual([]);
});

const isStream = (way: string) => way === "ends in the body of a stream";

test("each command against each of them: exit 3, who was asked and what came, nothing on stdout", async () => {
  const runs = broken.all.flatMap(({ way, url }) =>
    Object.values(asked)
      .flat()
      .filter(([verb]) => !(isStream(way) && verb === "watch"))
      .map(async (argv) => {
        const env = { CUTOVER_ADMIN_URL: url };
        return { typed: `${way}: ${argv.join(" ")}`, argv, url, ...(await runOnPaper(argv, { env })) };
      }),
  );
  for (const { typed, argv, url, code, stdout, stderr } of await Promise.all(runs)) {
    expect({ typed, code, stdout }).toEqual({ typed, code: 3, stdout: "" });
    expect(stderr, typed).toMatch(/^cutover: /);
    expect(stderr, typed).toContain(url);
    expect(stderr, typed).toMatch(/out of reach: .+|answers \(HTTP \d+\), but not as cutover's admin API/);
    expect(stderr, typed).not.toMatch(/undefined|\[object|\(unknown\)/);
    if (argv[0] !== "rollback" && argv[0] !== "hold") continue;
    for (const way of ["Any other instance", "--direct redis://", "kill -USR1"]) {
      expect(stderr, typed).toContain(way);
    }
  }
}, 60_000);

test("watch against a stream that breaks off says that it is old and tries again, until it is ended", async () => {
  const { url = "" } = broken.all.find(({ way }) => isStream(way)) ?? {};
  const terminal = createPaperTerminal();
  const watching = runOnPaper(["watch"], { env: { CUTOVER_ADMIN_URL: url }, terminal });
  await until("it has said so", () => terminal.stderr().includes("the connection broke"));
  terminal.stop();
  expect(await watching).toMatchObject({ code: 0 });
});

test("doctor says of each what is wrong, and exits 1", async () => {
  const runs = broken.all.map(async ({ url }) => runOnPaper(["doctor"], { env: { CUTOVER_ADMIN_URL: url } }));
  for (const { code, stdout } of await Promise.all(runs)) {
    expect(code).toBe(1);
    expect(stdout).toContain("fail  admin API");
  }
}, 60_000);

test("a connection that is accepted and closed ended a rollback with exit 13 and no word", async () => {
  const { url = "" } = broken.all.find(({ way }) => way === "closes at once") ?? {};
  const { code, stderr } = await runCutover(["rollback", "checkout", "--admin-url", url]);
  expect(code).toBe(3);
  expect(stderr).toContain(`the admin API at ${url} is out of reach: the connection broke`);
  expect(stderr).toContain("kill -USR1");
});

test("a program that has nothing left to wait for says so, and that it is not known what was done", async () => {
  // Takes away whatever a request and its time-out would keep the process alive by.
  const emptied = `
    import http from "node:http";
    import { syncBuiltinESMExports } from "node:module";
    http.request = () => ({ once() {}, on() {}, end() {} });
    syncBuiltinESMExports();
    const set = globalThis.setTimeout;
    globalThis.setTimeout = (...all) => set(...all).unref();
  `;
  const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(emptied)}` };
  const { code, stderr } = await runCutover(["rollback", "checkout"], { env });
  expect(code).toBe(1);
  expect(stderr).toContain("cutover: it ended before it was done; whether anything was changed is not known");
});
