import { expect, test } from "vitest";
import { loadConfig } from "../../../src/config/load/load.ts";
import { apart } from "../../../src/demo/apart.ts";
import { demoOf } from "../../../src/demo/kinds.ts";
import { runOnPaper } from "../../support/paper-terminal.ts";

async function shipped() {
  const loaded = await loadConfig(demoOf("sample").path, {});
  if (!loaded.ok) throw new Error("the shipped configuration does not load");
  return loaded.config;
}

test("a demonstration next to an instance of the shipped configuration wrote into its files: it has its own", async () => {
  const config = await shipped();
  const { store, snapshot, spool, audit } = apart(config);
  expect([store, snapshot, spool, audit]).toEqual([
    "file:var/demo/state.json",
    "var/demo/snapshot.json",
    "var/demo/spool",
    "var/demo/audit.ndjson",
  ]);
});

test("each store has a folder of its own, named by no secret", async () => {
  const config = await shipped();
  const one = apart(config, "redis://ana:secret@127.0.0.1:6379");
  expect(one.prefix).toBe("cutover-demo");
  expect(one.snapshot).toMatch(/^var\/demo\/redis-[0-9a-f]{8}\/snapshot\.json$/);
  expect(apart(config, "redis://ana:other@127.0.0.1:6379").snapshot).toBe(one.snapshot);
  expect(apart(config, "redis://127.0.0.1:6380").snapshot).not.toBe(one.snapshot);
});

test("a file is not taken for its store: it may be another instance's", async () => {
  let asked: string | undefined;
  const demo = async (_print: unknown, { store }: { readonly store?: string | undefined }) => {
    asked = store;
    throw new Error("not here");
  };
  const file = await runOnPaper(["demo", "--store", "file:var/state.json"], { engine: { demo } });
  expect(file).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("expected memory: or a URL of Redis"),
  });
  await runOnPaper(["demo", "--store", "redis://127.0.0.1:6379"], { engine: { demo } });
  expect(asked).toBe("redis://127.0.0.1:6379");
});
