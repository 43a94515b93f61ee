import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { SimulationQuestion } from "../../../../../src/cli/engine.ts";
import { createPaperTerminal, runOnPaper } from "../../../../support/paper-terminal.ts";

function recorded() {
  const asked: SimulationQuestion[] = [];
  const engine = {
    simulate: async (question: SimulationQuestion, told: (done: number) => void) => {
      asked.push(question);
      for (const done of [0.001, 0.002, 0.5, 1]) told(done);
      return { lines: ["one", "two"], picture: "<svg/>", forecast: { steps: [] } };
    },
  };
  return { asked, engine };
}

test("what is typed is what is simulated", async () => {
  const { asked, engine } = recorded();
  const argv =
    "simulate --rate 90/m --error 0.5% --pay 60%/3m --plan 1,10,50 --dwell 5m --budget 2% --seed 7";
  const { code, stdout, stderr } = await runOnPaper(argv.split(" "), { engine });
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: "one\ntwo\n", stderr: "" });
  expect(asked).toEqual([
    {
      seed: 7,
      perSecond: 1.5,
      failing: 0.005,
      paying: { share: 0.6, medianMs: 180_000 },
      steps: [1, 10, 50],
      dwellMs: 300_000,
      alpha: 0.02,
      notWorseThan: 2,
      paidNotWorseThan: 1.5,
      confidence: 0.95,
      days: 100,
    },
  ]);
});

test("a plan's own steps are taken as they stand there, with the last of 100", async () => {
  const { asked, engine } = recorded();
  const { code } = await runOnPaper(["simulate", "--plan", "1, 5, 99, 100"], { engine });
  expect({ code, steps: asked[0]?.steps }).toEqual({ code: 0, steps: [1, 5, 99] });
  expect((await runOnPaper(["simulate", "--plan", "100"], { engine })).code).toBe(2);
});

test("at a terminal a bar is drawn once a percent, and taken away", async () => {
  const terminal = { ...createPaperTerminal(), isTty: true };
  const { stderr } = await runOnPaper(["simulate", "--days", "5"], { ...recorded(), terminal });
  expect(stderr.match(/\d+%/g)).toEqual(["0%", "50%", "100%"]);
  expect(stderr.endsWith("\r\u001b[K")).toBe(true);
});

test("the picture is written where it is asked for, and --json prints the figures alone", async () => {
  const file = join(mkdtempSync(join(tmpdir(), "simulate-")), "plan.svg");
  const { code, stdout } = await runOnPaper(["simulate", "--json", "--svg", file], recorded());
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toEqual({ steps: [] });
  expect(readFileSync(file, "utf8")).toBe("<svg/>");
  const nowhere = await runOnPaper(["simulate", "--svg", "/nowhere/at/all.svg"], recorded());
  expect(nowhere.code).toBe(1);
  expect(nowhere.stderr).toContain("ENOENT");
});

test.each([
  [["--rate", "10"], "such as 10/s"],
  [["--rate", "0/s"], "above 0"],
  [["--error", "1"], "such as 1%"],
  [["--pay", "60%"], "such as 10m"],
  [["--pay", "60%/3m/2"], "such as 60%/3m"],
  [["--plan", "5,1"], "rising percents"],
  [["--plan", "1,100,5"], "below 100"],
  [["--days", "0"], "whole number from 1"],
])("%j is bad usage", async (argv, said) => {
  const { code, stderr } = await runOnPaper(["simulate", ...argv], recorded());
  expect(code).toBe(2);
  expect(stderr).toContain(said);
});
