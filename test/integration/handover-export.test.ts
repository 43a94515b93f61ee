/** A shop's code imports what verifies a hand-over from the package, by its name, and runs the page's own example. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import {
  handoverField,
  signHandover,
  type Verified,
  verifyHandover,
} from "../../src/proxy/handover/token.ts";
import type * as published from "../../types/handover.d.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const vectors: {
  readonly field: string;
  readonly options: published.VerifyOptions;
  readonly verified: Verified;
}[] = JSON.parse(readFileSync(`${root}docs/handover-vectors.json`, "utf8"));

test("the package exports it, and what it exports says the same of every vector", async () => {
  const program = `
    import { readFileSync } from "node:fs";
    import { handoverField, verifyHandover } from "cutover/handover";
    const vectors = JSON.parse(readFileSync("docs/handover-vectors.json", "utf8"));
    const found = vectors.map(({ field, options }) => verifyHandover(field, options));
    console.log(JSON.stringify({ handoverField, found }));`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", program], {
    cwd: root,
  });
  expect(JSON.parse(stdout)).toEqual({
    handoverField: "x-cutover-handover",
    found: vectors.map(({ verified }) => verified),
  });
});

test("what is written of it by hand, for the shops' compilers, is what it is", () => {
  const ours = { verifyHandover, signHandover, handoverField };
  const asPublished: Pick<typeof published, keyof typeof ours> = ours;
  expect(Object.keys(asPublished)).toHaveLength(3);
});

test("the example of docs/handover.md imports once what is shown twice", () => {
  const [, , , example = ""] = readFileSync(`${root}docs/handover.md`, "utf8").split("```");
  const code = example.replace(/^js\n/, "").replace(/^import .*$/m, "");
  const [vector] = vectors;
  const { nowMs = 0, secrets = [], audience = "" } = vector?.options ?? {};
  const imported: unknown[] = [];
  const handlers: ((request: unknown, response: unknown, next: () => void) => void)[] = [];
  const run = new Function("app", "process", "importFrom", "verifyHandover", "handoverField", code);
  run(
    { use: (handler: (typeof handlers)[number]) => handlers.push(handler) },
    { env: { CUTOVER_HANDOVER_SECRET: secrets[0] } },
    (...given: unknown[]) => imported.push(given),
    // The page's clock is now; the vector's is not.
    (text: string, options: published.VerifyOptions) => verifyHandover(text, { ...options, nowMs }),
    "x-cutover-handover",
  );
  expect(audience).toBe("marketplace");
  let served = 0;
  const request = (url: string, field?: string) =>
    handlers[0]?.(
      { method: "GET", url, headers: { host: "shop.example", "x-cutover-handover": field } },
      {},
      () => {
        served += 1;
      },
    );
  request("/cart?a=b", vector?.field);
  request("/cart?a=b", vector?.field);
  request("/other", vector?.field);
  request("/cart");
  expect([served, imported]).toEqual([4, [["legacy", "4711"]]]);
});
