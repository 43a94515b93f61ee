/** The file of owners and pins beside the embedded store: killed writers, restarts, a disk that fails. */
import { once } from "node:events";
import { appendFile, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { StoreUnavailable } from "../../src/base/errors.ts";
import { openFileStores } from "../../src/ownership/stores/in-process.ts";
import { createRecords, openRecordFile, type StoredRecord } from "../../src/ownership/stores/records.ts";
import { bundledProgram } from "../support/bundled-program.ts";
import { createManualTime } from "../support/manual-time.ts";
import { fact } from "../support/named-keys.ts";

const writer = await bundledProgram(fileURLToPath(new URL("../support/owner-writer.ts", import.meta.url)));
const hour = 3_600_000;

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "cutover-owner-file-"));
  path = join(folder, "var", "state.json.owners");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test("owners and pins outlive a restart; what has expired does not", async () => {
  const time = createManualTime();
  const first = await openFileStores(path, time);
  await first.owners.record("checkout", fact("\xe9\n1"), "new", hour);
  await first.owners.record("checkout", fact("short"), "new", 1000);
  const pin = { id: "abcdefghijkl", side: "new", epoch: 1, startedAt: 1_700_000_000 } as const;
  const offer = { ...pin, expiresAt: pin.startedAt + 14_400 };
  await first.pins.start("checkout", "s", { ...offer, side: "legacy" }, 14_400);
  await first.pins.start("checkout", "s", offer, 14_400);
  await first.close();
  await time.advance(1000);
  const second = await openFileStores(path, time);
  expect(await second.owners.lookup("checkout", [fact("\xe9\n1"), fact("short")])).toEqual([
    "new",
    undefined,
  ]);
  expect(await second.pins.find("checkout", "s", 14_400)).toEqual(offer);
  await second.close();
  expect((await readFile(path, "utf8")).split("\n")).toHaveLength(3);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test("the file survives kill -9 at any moment, with every owner that was said to be safe", async () => {
  for (let round = 0; round < 6; round++) {
    const child = writer(path);
    const gone = once(child, "exit");
    const safe: string[] = [];
    const lines = createInterface({ input: child.stdout });
    const closed = once(lines, "close");
    lines.on("line", (line) => safe.push(line));
    await once(lines, "line");
    await sleep(Math.random() * 100);
    child.kill("SIGKILL");
    await Promise.all([gone, closed]);
    const stores = await openFileStores(path, { now: () => Date.now() });
    const owners = await stores.owners.lookup("checkout", safe.map(fact));
    expect(owners).toEqual(safe.map((key) => (Number(key.slice(1)) % 2 === 0 ? "new" : "legacy")));
    await stores.close();
  }
}, 60_000);

test("a last line cut short was told to nobody and is dropped; any other that does not read is refused", async () => {
  const time = createManualTime();
  const first = await openFileStores(path, time);
  await first.owners.record("checkout", fact("a"), "new", hour);
  await first.close();
  await appendFile(path, '{"id":"owner:checkout:b","val');
  const second = await openFileStores(path, time);
  expect(await second.owners.lookup("checkout", [fact("a"), fact("b")])).toEqual(["new", undefined]);
  await second.close();
  await writeFile(path, "nonsense\n");
  await expect(openFileStores(path, time)).rejects.toThrow(`${path}: line 1 is no record`);
  expect(await readFile(path, "utf8")).toBe("nonsense\n");
});

test("the file is rewritten without what is over when it has grown, and loses nothing by it", async () => {
  const time = createManualTime();
  const { records, close } = await openRecordFile(path, time, 10_000);
  const put = (id: string, ttlMs: number) => records.change(id, () => ({ value: "new", ttlMs }));
  await put("lasting", hour);
  let most = 0;
  for (let round = 0; round < 40; round++) {
    await Promise.all(Array.from({ length: 20 }, (_, i) => put(`r${round}-${i}`, 100)));
    await put("changing", hour + round);
    most = Math.max(most, (await stat(path)).size);
    await time.advance(200);
  }
  await put("last", hour);
  await close();
  // All lines together are some 45,000 bytes.
  expect(most).toBeLessThan(15_000);
  const again = await openRecordFile(path, time);
  const kept = again.records.all().map(({ id }) => id);
  expect(kept.sort()).toEqual(["changing", "last", "lasting"]);
  await again.close();
});

test("a record that could not be made durable has not happened; those who waited for it hear so", async () => {
  let fail = false;
  const written: StoredRecord[] = [];
  const time = createManualTime();
  const records = createRecords({
    clock: time,
    async persist(record) {
      await time.advance(0);
      if (fail) throw new Error("disk full");
      written.push(record);
    },
  });
  const put = (value: string) => records.change("a", () => ({ value, ttlMs: hour }));
  expect(await put("1")).toBeUndefined();
  fail = true;
  const change = put("2");
  const read = records.get("a");
  await expect(change).rejects.toThrow(StoreUnavailable);
  await expect(read).rejects.toThrow(StoreUnavailable);
  expect(await records.get("a")).toBe("1");
  fail = false;
  expect(await put("3")).toBe("1");
  expect(await records.get("a")).toBe("3");
  expect(written.map(({ value }) => value)).toEqual(["1", "3"]);
});
