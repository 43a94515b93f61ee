import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { runOnPaper } from "../../support/paper-terminal.ts";

test.each([
  [["set", "checkout", "101", "--reason", "x"], "0 to 100"],
  [["set", "checkout", "12,5", "--reason", "x"], "0 to 100"],
  [["set", "checkout", "1e1", "--reason", "x"], "0 to 100"],
  [["set", "checkout", "0.0001", "--reason", "x"], "0 to 100"],
  [["set", "checkout", "-5", "--reason", "x"], "0 to 100"],
  [["set", "checkout", "25%%", "--reason", "x"], "0 to 100"],
  [["set", "checkout"], "PERCENT is missing"],
  [["set", "..", "25", "--reason", "x"], "expected a cutover's name"],
  [["set", "checkout", "25", "--reason", "x".repeat(501)], "at most 500 characters"],
  [["set", "checkout", "25", "--reason", "x", "--wait", "5"], "expected a duration"],
  [["set", "checkout", "25", "--reason", "x", "--wait", "61s"], "expected a duration"],
  [["set", "checkout", "25", "--reason", "x", "--if-version", "-1"], "expected a version"],
  [["set", "checkout", "25", "--reason", "x", "--token", "s3cret"], "there is no option"],
  [["set", "checkout", "0.25", "--reason", "x"], "0.25% (of 100) or 25%"],
  [["set", "checkout", "50", "--reason", "x", "--confirm=5"], "--confirm says 5%"],
  [["history", "checkout", "--since", "yesterday"], "expected a duration such as 2h"],
  [["history", "checkout", "--since", "2025-03-01T12:00:00"], "expected a duration such as 2h"],
  [["annotate", "checkout", "43"], 'cutover annotate checkout 43 --reason "WHY"'],
  [["history", "checkout", "--limit", "0"], "whole number from 1"],
  [["explain", "checkout"], "--shopper"],
  [["guard"], "NAME is missing"],
  [["token", "--role", "king"], "viewer, responder, operator, admin"],
  [["token", "--name", "Ana"], "lower-case letters"],
  [["status", "--admin-url", "ftp://x"], "http:// or https://"],
  [["status", "--admin-url", "http://user:s3cret@127.0.0.1/"], "without credentials"],
  [["status", "--token-file", "/nowhere/at/all"], "ENOENT"],
  [["promote", "checkout", "now"], "there is no command “promote”"],
  [["no-such-command"], "there is no command"],
  [["status", "--no-such-option"], "there is no option"],
  [[], "Usage: cutover"],
])("%j is bad usage: exit 2, said on stderr, nothing on stdout", async (argv, said) => {
  const { code, stdout, stderr } = await runOnPaper(argv);
  expect(code).toBe(2);
  expect(stderr).toContain(said);
  expect(stderr).not.toContain("s3cret");
  expect(stdout).toBe("");
});

test.each([
  [["set", "checkout", "25%"], 'Usage: cutover set checkout 25 --reason "WHY"'],
  [["set", "checkout", "25", "--reason", "  "], 'Usage: cutover set checkout 25 --reason "WHY"'],
  [["set", "a b", "0", "--if-version", "4"], "Usage: cutover set 'a b' 0 --if-version 4 --reason \"WHY\""],
  [["resume", "checkout"], 'Usage: cutover resume checkout --reason "WHY"'],
  [["close", "checkout"], 'Usage: cutover close checkout --reason "WHY"'],
])("%j lacks a reason: exit 2 with the whole command to type", async (argv, line) => {
  const { code, stderr } = await runOnPaper(argv);
  expect(code).toBe(2);
  expect(stderr).toContain(line);
});

test.each([
  "status",
  "watch",
  "history",
  "annotate",
  "explain",
  "set",
  "rollback",
  "hold",
  "resume",
  "close",
  "approve",
  "withdraw",
  "serve",
  "demo",
  "check",
  "doctor",
  "token",
  "completion",
])("%s --help shows its usage and examples", async (command) => {
  const { code, stdout, stderr } = await runOnPaper([command, "--help"]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toContain(`Usage: cutover ${command}`);
  expect(stdout).toMatch(new RegExp(`Examples:\\n  cutover ${command}`));
});

test.each(["set", "rollback", "hold", "resume", "close"])(
  "%s can be tried, tied to a version and waited for, for people and programs",
  async (command) => {
    const { stdout } = await runOnPaper([command, "--help"]);
    for (const option of ["--dry-run", "--if-version <N>", "--wait <DURATION>", "--json", "--plain"])
      expect(stdout).toContain(option);
  },
);

test.each(["status", "watch", "history", "explain", "check", "doctor", "token", "annotate", "approve"])(
  "%s gives JSON",
  async (command) => {
    expect((await runOnPaper([command, "--help"])).stdout).toContain("--json");
  },
);

test("--version prints the version", async () => {
  expect(await runOnPaper(["--version"])).toEqual({ code: 0, stdout: "1.2.3\n", stderr: "" });
});

test("a token with a line break is refused without being repeated", async () => {
  const { code, stderr } = await runOnPaper(["status"], { env: { CUTOVER_TOKEN: "abc\r\nx-evil: 1" } });
  expect(code).toBe(2);
  expect(stderr).not.toContain("abc");
});

test("token makes 256 random bits and the configuration's line with their SHA-256", async () => {
  const { code, stdout } = await runOnPaper(["token", "--name", "ana", "--role", "operator"]);
  expect(code).toBe(0);
  const secret = /cutover_[A-Za-z0-9_-]{43}\b/.exec(stdout)?.[0] ?? "";
  const sha256 = createHash("sha256").update(secret).digest("hex");
  expect(stdout).toContain(`- { name: ana, role: operator, sha256: ${sha256} }`);
  expect((await runOnPaper(["token"])).stdout).not.toContain(secret);
});

const problem = {
  file: "c.yaml",
  line: 3,
  column: 7,
  path: "default",
  message: "expected an upstream",
  text: "c.yaml:3:7 default: expected an upstream",
};

test("check tells every problem with its place and exits 2", async () => {
  const engine = { check: async () => ({ ok: false, problems: [problem, problem] }) as const };
  const { code, stdout, stderr } = await runOnPaper(["check"], { engine });
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toBe(`${problem.text}\n${problem.text}\ncutover: the configuration has 2 problems\n`);
});

test("check --try tells what each side would get, and nothing a terminal would obey", async () => {
  const asked: string[] = [];
  const tried = {
    cutover: "shop",
    route: "pay",
    sides: [{ side: "new", upstream: "next", lines: ["POST /x HTTP/1.1", "X-A: \x1b[2J"] }],
  };
  const attempt = async (method: string, url: string) => {
    asked.push(`${method} ${url}`);
    return tried;
  };
  const engine = { check: async () => ({ ok: true, warnings: [], attempt }) as const };
  const request = "POST https://shop.example/pay?x=1";
  const { stdout } = await runOnPaper(["check", "--try", request], { engine });
  expect(asked).toEqual([request]);
  expect(stdout).toMatch(
    /^cutover shop, route pay\nnew: next\n {2}POST \/x HTTP\/1\.1\n {2}X-A: \S*\[2J\nok\n$/,
  );
  expect(stdout).not.toContain("\x1b");
  const json = await runOnPaper(["check", "--json", "--try", request], { engine });
  expect(JSON.parse(json.stdout)).toEqual({ ok: true, problems: [], warnings: [], tried });
});

test("check --try tells a fixed route by its name", async () => {
  const tried = { cutover: "none", route: "admin", sides: [{ side: "fixed", upstream: "next", lines: [] }] };
  const engine = { check: async () => ({ ok: true, warnings: [], attempt: async () => tried }) as const };
  const { stdout } = await runOnPaper(["check", "--try", "https://shop.example/admin"], { engine });
  expect(stdout).toBe("fixed route admin\nfixed: next\nok\n");
});

test("check --try lists the routes that share the path, in the order in which they are asked", async () => {
  const route = (name: string, when?: string) => ({ cutover: "shop", name, when });
  const tried = {
    cutover: "shop",
    route: "rest",
    sides: [],
    routes: [route("pay", "graphql pay"), route("rest")],
  };
  const engine = { check: async () => ({ ok: true, warnings: [], attempt: async () => tried }) as const };
  const { stdout } = await runOnPaper(["check", "--try", "POST https://shop.example/graphql"], { engine });
  expect(stdout.split("\n").slice(0, 4)).toEqual([
    "cutover shop, route rest",
    "routes that share the path, the first that holds:",
    "  1. route pay of shop, when graphql pay",
    "  2. route rest of shop, else",
  ]);
});

test("check --try tells a request that gets no further, and takes only a method and a URL", async () => {
  const attempt = async () => ({ status: 400, code: "ambiguous_path", detail: "The path." });
  const engine = { check: async () => ({ ok: true, warnings: [], attempt }) as const };
  const { stdout } = await runOnPaper(["check", "--try", "https://shop.example/%2f"], { engine });
  expect(stdout).toBe("refused with 400 ambiguous_path: The path.\nok\n");
  for (const text of ["/checkout", "post http://x/", "GET ftp://x/", "GET http://"]) {
    const { code, stderr } = await runOnPaper(["check", "--try", text], { engine });
    expect([code, stderr]).toEqual([2, expect.stringContaining("expected a method and a URL")]);
  }
});

test("check --explain tells every value and where it comes from", async () => {
  const values = [
    { path: "store", value: "memory:", from: { kind: "file", line: 3, column: 8, filled: false } },
    { path: "workers", value: "2", from: { kind: "file", line: 4, column: 10, filled: true } },
    { path: "engine", value: "undici", from: { kind: "default" } },
  ] as const;
  const engine = { check: async () => ({ ok: true, warnings: [], explain: () => values }) as const };
  const { stdout } = await runOnPaper(["check", "--explain", "--config", "c.yaml"], { engine });
  expect(stdout.replaceAll(/ +#/g, " #")).toBe(
    "store: memory: # c.yaml:3:8\nworkers: 2 # environment, c.yaml:4:10\nengine: undici # default\nok\n",
  );
  const json = await runOnPaper(["check", "--explain", "--json"], { engine });
  expect(JSON.parse(json.stdout)).toEqual({ ok: true, problems: [], warnings: [], values });
});

test("check says ok, after the warnings; --json holds both", async () => {
  const engine = { check: async () => ({ ok: true, warnings: [problem] }) as const };
  const { code, stdout } = await runOnPaper(["check"], { engine });
  expect({ code, stdout }).toEqual({ code: 0, stdout: `${problem.text} (warning)\nok\n` });
  const json = await runOnPaper(["check", "--json"], { engine });
  expect(JSON.parse(json.stdout)).toEqual({ ok: true, problems: [], warnings: [problem] });
});
