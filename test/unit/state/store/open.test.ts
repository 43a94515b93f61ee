import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { StoreUnavailable } from "../../../../src/base/errors.ts";
import { openStore } from "../../../../src/state/store/open.ts";
import { freePort } from "../../../support/free-port.ts";
import { createManualTime } from "../../../support/manual-time.ts";
import { createRecordedLog } from "../../../support/recorded-log.ts";

const options = () => ({ prefix: "cutover", clock: createManualTime(), log: createRecordedLog() });

test("memory: opens a store of this process", async () => {
  const { store } = await openStore("memory:", options());
  expect(store.kind).toBe("memory");
  await store.close();
});

test("file: opens the store at its path, with the folders to it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "cutover-open-"));
  const { store } = await openStore(`file:${folder}/a/b: c.json`, options());
  expect(store.kind).toBe("file");
  expect(await store.shared("x", "1")).toBe("1");
  await store.close();
  await rm(join(folder, "a", "b: c.json"));
  await rm(folder, { recursive: true });
});

test("redis: opens the store on Redis without waiting for the server, and lends out its connection", async () => {
  const { store, redis } = await openStore(`redis://127.0.0.1:${await freePort()}`, options());
  expect(store.kind).toBe("redis");
  expect(redis?.isReady()).toBe(false);
  await store.close();
  expect(redis?.isClosed()).toBe(true);
  await expect(store.instances()).rejects.toThrow(StoreUnavailable);
});

test.each(["", "etcd://127.0.0.1", "REDIS", "redis://:sesame@:::"])("%j opens no store", async (url) => {
  await expect(openStore(url, options())).rejects.toThrow(/^(?!.*sesame).*redis:\/\/HOST:PORT/);
});
