/** Where a process writes its log. */
import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { createLines, type Lines } from "../telemetry/log-file.ts";

/**
 * @param path of a file, appended to; standard output without it
 * @param isShared whether other processes write there too
 */
export function openLines(
  path: string | undefined,
  isShared: boolean,
): { readonly lines: Lines; readonly end: () => Promise<void> } {
  if (path === undefined) {
    const lines = createLines({ fd: process.stdout.fd, isShared });
    return { lines, end: () => lines.end() };
  }
  mkdirSync(dirname(path), { recursive: true });
  const fd = openSync(path, "a");
  const lines = createLines({ fd, isShared });
  return {
    lines,
    async end() {
      await lines.end();
      closeSync(fd);
    },
  };
}
