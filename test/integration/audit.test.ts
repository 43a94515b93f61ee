/** What an instance keeps of who changed what, in a file of its own. */
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createAdminApi } from "../support/admin-api.ts";
import { startServe } from "../support/cutover.ts";
import { runOnPaper } from "../support/paper-terminal.ts";
import { startRedis } from "../support/redis.ts";
import { serveYaml } from "../support/serve-yaml.ts";
import { until } from "../support/until.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cutover-audit-"));
});
afterAll(() => rm(folder, { recursive: true }));

const nowhere = { legacy: "http://127.0.0.1:9", new: "http://127.0.0.1:9" };

function linesOf(file: string): readonly unknown[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, "utf8")
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

test("changes of both instances are in both files, refusals and local changes in that of their own", async () => {
  const redis = await startRedis();
  const [one, two] = await Promise.all(
    ["one", "two"].map((name) =>
      startServe({ folder, name, yaml: serveYaml({ sides: nowhere, store: redis.url }) }),
    ),
  );
  const [first, second] = [createAdminApi(one?.admin ?? ""), createAdminApi(two?.admin ?? "")];
  const files = [join(folder, "var", "audit.ndjson"), join(folder, "var", "audit-2.ndjson")];
  try {
    await first.set(10);
    await second.call("hold");
    expect(await first.set(20)).toMatchObject({ status: 409, code: "held" });
    const cli = { env: { CUTOVER_ADMIN_URL: two?.admin ?? "" } };
    await runOnPaper(["annotate", "checkout", "2", "--reason", "looking into it"], cli);
    await redis.cli("HSET", "cutover:{checkout}", "percent", "5");
    const all = () => files.map((file) => linesOf(file).map((line) => JSON.stringify(line)));
    const has = (text: string) => all().filter((lines) => lines.some((line) => line.includes(text))).length;
    await until("the change by hand is in both", () => has('"version":3,') === 2, 10_000);
    expect(has('"kind":"refused"')).toBe(1);
    expect(has('"kind":"annotation"')).toBe(1);
    for (const file of files) {
      const changes = linesOf(file).filter((line) => JSON.stringify(line).startsWith('{"kind":"change"'));
      expect(changes).toMatchObject([
        { version: 1, action: "set", via: "api", by: "anonymous", requestId: expect.any(String) },
        { version: 2, action: "hold", via: "api" },
        { version: 3, action: "out_of_band", via: "by hand", by: "by hand", requestId: null },
      ]);
      expect((await stat(file)).mode & 0o777).toBe(0o600);
    }
    const metrics = await (await fetch(`${one?.admin ?? ""}/metrics`)).text();
    expect(metrics).toMatch(/^cutover_audit_up 1$/m);
    await redis.stop();
    one?.signal("SIGUSR1");
    await until("the local rollback is in its file", () => has('"kind":"local"') === 1, 10_000);
  } finally {
    await Promise.all([first.close(), second.close()]);
    await Promise.all([one?.kill(), two?.kill()]);
    await redis.stop();
  }
});
