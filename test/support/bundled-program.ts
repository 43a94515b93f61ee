/**
 * A test's program in TypeScript, bundled once, that then starts as fast as plain node does: a third of what it takes to
 * have each start compile it.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { build } from "esbuild";
import { endsWithTest } from "./processes.ts";

export type StartProgram = (...words: readonly string[]) => ChildProcessByStdio<Writable, Readable, null>;

/** @returns what starts it with arguments; its text is its standard input */
export async function bundledProgram(path: string): Promise<StartProgram> {
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
  const text = outputFiles.map((file) => file.text).join("\n");
  return (...words) => {
    const child = spawn(process.execPath, ["--input-type=module", "-", ...words], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    endsWithTest(child);
    child.stdin.on("error", () => undefined).end(text);
    return child;
  };
}
