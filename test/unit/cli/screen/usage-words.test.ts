import { expect, test } from "vitest";
import { inOwnWords } from "../../../../src/cli/screen/usage-words.ts";
import { runOnPaper } from "../../../support/paper-terminal.ts";

test.each([
  [["sttus"], "there is no command “sttus”\n(Did you mean status?)"],
  [["promote", "checkout", "now"], "there is no command “promote”"],
  [["status", "--jsn"], "there is no option “--jsn” here\n(Did you mean --json?)"],
  [["set", "checkout"], "PERCENT is missing"],
  [["status", "a", "b"], "status takes 1 word behind it, and here are 2"],
  [["token", "a"], "token takes no word behind it, and here are 1"],
  [["status", "--admin-url"], "--admin-url <URLS>: its value is missing"],
  [["rollback", "checkout", "--wait", "5"], "--wait “5”: expected a duration of at most 60s"],
  [["set", "checkout", "101", "--reason", "x"], "PERCENT “101”: expected a percent from 0 to 100"],
  [["token", "--role", "king"], "--role “king”: expected one of viewer, responder, operator, admin."],
  [["completion", "sh"], "SHELL “sh”: expected one of bash, zsh, fish."],
  [
    ["owner", "a", "k", "--set", "new", "--release", "--reason", "x"],
    "--release and --set cannot go together",
  ],
  [["set", "checkout", "\u001b[2J", "--reason", "x"], "PERCENT “\\u{1b}[2J”: expected"],
  [["set", "checkout", "9".repeat(500), "--reason", "x"], "9…”: expected"],
])("%j is told in the product's own words", async (argv, said) => {
  const { code, stdout, stderr } = await runOnPaper(argv);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toContain(`cutover: `);
  expect(stderr).toContain(said);
  expect(stderr).toContain("(--help shows how it is used)");
  expect(stderr).not.toMatch(/error:|is invalid|command-argument|unknown|Allowed choices/);
});

test("what a command says itself stays as it is", () => {
  expect(inOwnWords("error: expected --shopper <ID>, --key <KEY>, or both")).toBe(
    "expected --shopper <ID>, --key <KEY>, or both",
  );
});
