/** How past requests with a key are told to whoever asks the API. */
import { expect, test } from "vitest";
import { StoreUnavailable } from "../../../../src/base/errors.ts";
import { lookAtPast } from "../../../../src/instance/plane/past-desk.ts";
import { keyDigest } from "../../../../src/ownership/past/port.ts";
import { createMemoryStores } from "../../../../src/ownership/stores/in-process.ts";
import { createManualTime } from "../../../support/manual-time.ts";

const name = "checkout";

test("with the decision that counted then, by the digest of the key's bytes, and what is known besides", async () => {
  const time = createManualTime();
  const { past } = createMemoryStores(time);
  const sentAtMs = time.now();
  const decision = { atMs: sentAtMs, side: "new", reason: "bucket", version: 4, route: "pay" } as const;
  const note = { cutover: name, digest: keyDigest("caf\u00c3\u00a9"), ttlMs: 60_000, decisions: [decision] };
  await past.note({ keys: [{ ...note, answered: { new: sentAtMs + 5 } }], doubts: [] });
  const told = {
    at: new Date(sentAtMs).toISOString(),
    side: "new",
    reason: "bucket",
    version: 4,
    route: "pay",
  };
  const at = new Date(sentAtMs + 10).toISOString();
  expect(await lookAtPast(past, time, { name, key: "café", at })).toMatchObject({
    digest: note.digest,
    at,
    decided: told,
    decisions: [told],
    omitted: 0,
    answered: { legacy: null, new: new Date(sentAtMs + 5).toISOString() },
  });
  const before = new Date(sentAtMs - 1).toISOString();
  expect(await lookAtPast(past, time, { name, key: "café", at: before })).toMatchObject({ decided: null });
  // Nobody has asked about a time: what counts now is in the sentence.
  expect(await lookAtPast(past, time, { name, key: "café", at: undefined })).toMatchObject({
    ...{ at: null, decided: null, decisions: [told] },
    sentence: expect.stringContaining("Sent to new"),
  });
});

test("that nothing can be told now, while the store is away; another fault is no such answer", async () => {
  const time = createManualTime();
  const failing = (error: Error) => ({ of: async () => Promise.reject(error) });
  const asked = { name, key: "K", at: undefined };
  expect(await lookAtPast(failing(new StoreUnavailable("away")), time, asked)).toMatchObject({
    ...{ decided: null, decisions: [], answered: { legacy: null, new: null } },
    sentence: expect.stringContaining("out of reach"),
  });
  await expect(lookAtPast(failing(new Error("a fault")), time, asked)).rejects.toThrow("a fault");
});
