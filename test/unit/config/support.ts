import type { Environment } from "../../../src/config/load/env.ts";
import { type LoadResult, readConfig } from "../../../src/config/load/load.ts";
import { formatProblem } from "../../../src/config/load/problems.ts";

export function readText(text: string, env: Environment = {}): LoadResult {
  return readConfig(new TextEncoder().encode(text), "c.yaml", env);
}

/** The problems as they are printed; empty when it loads. */
export function problemsOf(text: string, env: Environment = {}): string[] {
  const result = readText(text, env);
  return result.ok ? [] : result.problems.map(formatProblem);
}

export function warningsOf(text: string): string[] {
  const result = readText(text);
  if (!result.ok) throw new Error(result.problems.map(formatProblem).join("\n"));
  return result.warnings.map(formatProblem);
}

export function configOf(text: string, env: Environment = {}) {
  const result = readText(text, env);
  if (!result.ok) throw new Error(result.problems.map(formatProblem).join("\n"));
  return result.config;
}

/** The least a file needs; lines 1–4. */
export const least = [
  "upstreams:",
  '  old: { url: "http://127.0.0.1:7001" }',
  '  next: { url: "http://127.0.0.1:7002" }',
  "default: old",
  "",
].join("\n");

/** `least` and a cutover `shop` whose further keys are given as lines of YAML from line 10 on. */
export function withCutover(...lines: string[]): string {
  return [
    // Not to the legacy of the cutover, which would be a warning.
    `${least.replace("default: old", "default: next")}cutovers:`,
    "  shop:",
    "    legacy: old",
    "    new: next",
    '    shopper: ["cookie:sid", visitor]',
    ...lines.map((line) => `    ${line}`),
    "",
  ].join("\n");
}
