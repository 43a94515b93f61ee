import { readFileSync } from "node:fs";

/** The version in package.json, from src/ and from dist/ alike. */
export function packageVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  const read: unknown = JSON.parse(text);
  const isNamed = typeof read === "object" && read !== null && "version" in read;
  if (!isNamed || typeof read.version !== "string") throw new Error("package.json names no version");
  return read.version;
}
