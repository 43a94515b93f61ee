/** Debian's Chromium, driven by playwright-core. */
import { execFileSync } from "node:child_process";
import { type Browser, chromium } from "playwright-core";

export function launchChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: execFileSync("sh", ["-c", "command -v chromium"], { encoding: "utf8" }).trim(),
    // It has no sandbox for root; what it opens is ours.
    chromiumSandbox: process.getuid?.() !== 0,
  });
}
