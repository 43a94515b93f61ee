import { once } from "node:events";
import { createServer } from "node:http";
import { Command } from "commander";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { addStatus } from "../../../../../src/cli/commands/read/status.ts";
import { noCutovers } from "../../../../../src/cli/screen/status-view.ts";
import { createPaperTerminal, nothingRuns } from "../../../../support/paper-terminal.ts";

/** An API with no cutover. */
const server = createServer((request, response) => {
  const isList = request.url === "/api/v1/cutovers";
  response.writeHead(isList ? 200 : 404, { "content-type": "application/json" });
  response.end(JSON.stringify(isList ? [] : problem));
});
const problem = { type: "about:blank", title: "Not Found", status: 404, code: "not_found" };
let url = "";
beforeAll(async () => {
  await once(server.listen(0, "127.0.0.1"), "listening");
  url = `http://127.0.0.1:${z.object({ port: z.int() }).parse(server.address()).port}`;
});
afterAll(() => {
  server.close();
  server.closeAllConnections();
});

async function status(...argv: readonly string[]) {
  const terminal = createPaperTerminal();
  const codes: number[] = [];
  const program = new Command("cutover");
  addStatus(program, {
    terminal,
    env: { CUTOVER_ADMIN_URL: url },
    now: Date.now,
    engine: nothingRuns,
    abandon: () => undefined,
    finish: (code) => void codes.push(code),
  });
  await program.parseAsync(["status", ...argv], { from: "user" });
  return { codes, stdout: terminal.stdout(), stderr: terminal.stderr() };
}

test("without a name it tells of every cutover, in words or as the API's JSON", async () => {
  expect(await status()).toEqual({ codes: [0], stdout: `${noCutovers}\n`, stderr: "" });
  expect(await status("--json")).toEqual({ codes: [0], stdout: "[]\n", stderr: "" });
});

test("of a name that is none it tells where the names are", async () => {
  const { codes, stdout, stderr } = await status("checkout");
  expect({ codes, stdout }).toEqual({ codes: [1], stdout: "" });
  expect(stderr).toBe("cutover: refused (not_found): Not Found\n  The names there are: cutover status\n");
});
