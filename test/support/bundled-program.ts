/**
 * A test's program in TypeScript, bundled once, that then starts as fast as plain node does: a third of what it takes to
 * have each start compile it.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { build } from "esbuild";
import { endsWithTest } from "./processes.ts";

export type StartProgram = (...words: readonly string[]) => ChildProcessByStdio<Writable, Readable, null>;

/** @returns what starts it with arguments; its text is its standard input */
export async function bundledProgram(path: string): Promise<StartProgram> {
  const text = await bundle(path);
  return (...words) => {
    const child = spawn(process.execPath, ["--input-type=module", "-", ...words], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    endsWithTest(child);
    child.stdin.on("error", () => undefined).end(text);
    return child;
  };
}

/** @returns the path of the bundled program, in the folder */
export async function bundleInto(folder: string, path: string): Promise<string> {
  const to = join(folder, `${basename(path, ".ts")}.mjs`);
  await writeFile(to, await bundle(path));
  return to;
}

async function bundle(path: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [path],
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    write: false,
    // Packages in CommonJS ask for Node's modules by it.
    banner: {
      js: 'import { createRequire as createRequireHere } from "node:module"; const require = createRequireHere(import.meta.url);',
    },
  });
  return outputFiles.map((file) => file.text).join("\n");
}
