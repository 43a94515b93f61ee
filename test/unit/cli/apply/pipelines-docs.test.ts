/** docs/pipelines.md against the program: its target reads, and its words are the guard's and the metrics'. */
import { readFile } from "node:fs/promises";
import { beforeAll, expect, test } from "vitest";
import { targetIn } from "../../../../src/cli/commands/apply/target.ts";
import { gateCode } from "../../../../src/cli/commands/read/guard.ts";
import { exitCodes } from "../../../../src/cli/exit.ts";
import { verdicts } from "../../../../src/guard/verdict/verdict.ts";
import { outcomes } from "../../../../src/proxy/outcome.ts";

let page: string;
beforeAll(async () => {
  page = await readFile(new URL("../../../../docs/pipelines.md", import.meta.url), "utf8");
});

test("the target that it shows is one", async () => {
  const [, target = ""] = /```yaml\n(# target\.yaml\n[^`]*)```/.exec(page) ?? [];
  expect(await targetIn(target, "target.yaml")).toMatchObject({
    ok: true,
    value: { freeze: "none", cutovers: { checkout: { percent: 25 }, search: { plan: "running" } } },
  });
});

test("each verdict is in the row of the exit code that gate gives it, and what fails a rollout is what it refuses", () => {
  for (const verdict of verdicts) {
    const rows = page.split("\n").filter((line) => line.startsWith(`| ${gateCode({ verdict })} | \``));
    expect(rows, verdict).toEqual([expect.stringContaining(`\`${verdict}\``)]);
  }
  const refused = verdicts.filter((verdict) => gateCode({ verdict }) === exitCodes.worse);
  const failing = [...(/failureCondition: (.*)/.exec(page)?.[1] ?? "").matchAll(/"([^"]+)"/g)].map(
    ([, word]) => word,
  );
  expect(failing.sort()).toEqual([...refused].sort());
  expect(page).toContain(`verdict=~"${refused.join("|")}"`);
});

test("the outcomes that Kayenta leaves out are outcomes", () => {
  const words = [...page.matchAll(/outcome!~\\"([a-z_|]+)\\"/g)].flatMap(([, list = ""]) => list.split("|"));
  expect(words.length).toBeGreaterThan(0);
  for (const word of words) expect(outcomes).toContain(word);
});
