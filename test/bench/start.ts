/**
 * `npm run bench -- --start [--rounds 15] [--against DIR]`: the CPU that a start costs, as built, beside a bare node. A
 * `serve` is measured until it says `ready`, on the embedded store.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { cpuOfRun, cpuSoFar } from "../support/cpu-time.ts";
import { serveYaml } from "../support/serve-yaml.ts";

const checkout = fileURLToPath(new URL("../..", import.meta.url));
const nowhere = { legacy: "http://127.0.0.1:1", new: "http://127.0.0.1:1" };

/** @returns a table: medians, the least, and the median as a multiple of a bare node's */
export async function startTable(rounds: number, against: string | undefined): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "cutover-start-"));
  const config = join(folder, "cutover.yaml");
  await writeFile(config, serveYaml({ sides: nowhere, store: `file:${folder}/state.json` }));
  const measured = new Map<string, number[]>();
  const add = (name: string, ms: number) => measured.set(name, [...(measured.get(name) ?? []), ms]);
  try {
    for (let round = 0; round < rounds; round++) {
      add("node -e 0", cpuOfRun([process.execPath, "-e", "0"]));
      for (const [name, root] of [["", checkout] as const, ["against: ", against] as const]) {
        if (root === undefined) continue;
        const bin = join(root, "bin/cutover.js");
        add(`${name}cutover --version`, cpuOfRun([process.execPath, bin, "--version"]));
        add(`${name}cutover serve`, await cpuUntilReady([bin, "serve", "--config", config], folder));
      }
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  const bare = median(measured.get("node -e 0") ?? []);
  const rows = [...measured].map(([name, all]) => {
    const middle = median(all);
    const least = Math.min(...all);
    return `| ${name.padEnd(26)} | ${middle.toFixed(0).padStart(5)} | ${least.toFixed(0).padStart(5)} | ${(middle / bare).toFixed(2).padStart(9)} |`;
  });
  return ["| CPU, ms                    |   med | least | bare node |", "|---|---:|---:|---:|", ...rows].join(
    "\n",
  );
}

async function cpuUntilReady(words: readonly string[], cwd: string): Promise<number> {
  const child = spawn(process.execPath, words, { cwd, stdio: ["ignore", "pipe", "inherit"] });
  const gone = once(child, "exit");
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      if (line.includes('"msg":"ready"') && child.pid !== undefined) return cpuSoFar(child.pid);
    }
    throw new Error(`${words.join(" ")} ended before it was ready`);
  } finally {
    child.kill("SIGKILL");
    await gone;
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
