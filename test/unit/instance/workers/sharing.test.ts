import { expect, test } from "vitest";
import {
  type FromWorker,
  fromWorker,
  type ToWorker,
  toWorker,
} from "../../../../src/instance/workers/messages.ts";
import { createSharing, sharingStores } from "../../../../src/instance/workers/sharing.ts";
import { createMemoryStores } from "../../../../src/ownership/stores/in-process.ts";
import { claim, fact } from "../../../support/named-keys.ts";
import { turn } from "../../../support/until.ts";

const clock = { now: () => Date.now(), monotonic: () => performance.now() };
const over = (cutover: string, key: string) => ({ cutover, key: fact(key), side: "new" as const });

test("the other workers know it before the answer goes on; the one that learned it is not told", async () => {
  const heard: string[] = [];
  const releases: (() => void)[] = [];
  const member = (number: number) => ({
    number,
    share: ({ key }: { key: { key: string } }) => {
      heard.push(`${number} ${key.key}`);
      return new Promise<void>((resolve) => releases.push(resolve));
    },
  });
  const { share, known } = createSharing(() => [member(1), member(2), member(3)]);
  let isShared = false;
  const sharing = share(1, over("checkout", "O1")).then(() => {
    isShared = true;
  });
  expect(heard).toEqual(["2 O1", "3 O1"]);
  releases[0]?.();
  await turn();
  expect(isShared).toBe(false);
  releases[1]?.();
  await sharing;
  await share(2, over("search", "O1")).catch(() => undefined);
  expect(known()).toEqual([over("checkout", "O1"), over("search", "O1")]);
});

test("a worker that says nothing is waited for no longer than a moment", async () => {
  const { share } = createSharing(() => [{ number: 2, share: () => new Promise<void>(() => {}) }]);
  const begunMs = performance.now();
  await share(1, over("checkout", "O1"));
  expect(performance.now() - begunMs).toBeLessThan(2000);
});

test("a worker remembers what others could not record, tells that it does, and doubts what the store does not know", async () => {
  const sent: FromWorker[] = [];
  let tell = (_: ToWorker): void => undefined;
  const link = {
    ask: async (question: unknown) => {
      sent.push(fromWorker.parse({ type: "ask", seq: 1, question }));
      return { kind: "owners" as const, owners: [] };
    },
    send: async (message: FromWorker) => void sent.push(fromWorker.parse(message)),
    onMessage: (listener: (message: ToWorker) => void) => {
      tell = listener;
    },
  };
  const stores = sharingStores(createMemoryStores(clock), link, [over("checkout", "before")]);
  const heard: string[] = [];
  const leave = stores.watch?.(
    (cutover, { key, claimed }, side) => heard.push(`${cutover} ${key} ${claimed} ${side}`),
    {
      doubt: (forMs) => heard.push(`doubt ${forMs}`),
      released: (cutover, key, side) => heard.push(`released ${cutover} ${key} ${side}`),
    },
  );
  expect(heard.splice(0)).toEqual(["checkout before false new"]);
  const owner = { cutover: "checkout", key: claim("K1"), side: "legacy" as const };
  tell(toWorker.parse({ type: "owner", seq: 7, owner }));
  expect(heard.splice(0)).toEqual(["checkout K1 true legacy", "doubt 5000"]);
  tell(toWorker.parse({ type: "released", cutover: "checkout", key: "C1", side: "new" }));
  expect(heard.splice(0)).toEqual(["released checkout C1 new"]);
  expect(sent.splice(0)).toEqual([{ type: "heard", seq: 7 }]);
  await stores.share?.("checkout", fact("O2"), "new");
  expect(sent).toMatchObject([{ question: { call: "share", owner: over("checkout", "O2") } }]);
  leave?.();
  tell(toWorker.parse({ type: "owner", seq: 8, owner }));
  expect(heard).toEqual([]);
});
