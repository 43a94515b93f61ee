/** TLS and the documented user where Redis is run by Sentinels or as a Cluster, a failover included. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { StoreUnavailable } from "../../src/base/errors.ts";
import { type Authority, createAuthority } from "../support/certificates.ts";
import { applyAll, setTo, stateOf } from "../support/commands.ts";
import { createRecordedLog } from "../support/recorded-log.ts";
import { startCluster, startSentinels, type Topology } from "../support/redis-topologies.ts";
import { failing, msToUnavailable, until } from "./redis-failing.ts";

const given = failing();
const topologies: Topology[] = [];
let authority: Authority;
beforeAll(() => {
  authority = createAuthority();
});
afterEach(async () => {
  await given.end();
  for (const topology of topologies.splice(0)) await topology.stop();
});
afterAll(() => authority.remove());

test.each([
  ["Sentinels", startSentinels],
  ["a Cluster", startCluster],
] as const)(
  "with %s, changes and their announcements go by TLS, before a failover and after",
  async (_, start) => {
    const topology = await start(authority);
    topologies.push(topology);
    const store = given.storeAt(topology.url);
    await applyAll(store, "checkout", [setTo(10)]);
    let hints = 0;
    store.subscribe(() => {
      hints += 1;
    });
    await until("the subscription", () => hints >= 1);
    const before = hints;
    await applyAll(store, "checkout", [setTo(20)]);
    await until("an announcement", () => hints > before);
    await (await topology.primary("checkout")).kill();
    await until("the next primary", async () => (await topology.find("checkout")) !== undefined, 30_000);
    await until(
      "a change there",
      async () => {
        try {
          await applyAll(store, "checkout", [setTo(30)]);
          return true;
        } catch (error) {
          if (error instanceof StoreUnavailable) return false;
          throw error;
        }
      },
      20_000,
    );
    expect((await stateOf(store, "checkout")).percentThousandths).toBe(30_000);
  },
  90_000,
);

test("the client does not talk to Sentinels whose certificates nobody it trusts has signed", async () => {
  const topology = await startSentinels(authority);
  topologies.push(topology);
  const log = createRecordedLog();
  const store = given.storeAt(topology.url.replace(/&ca=.*/, ""), log);
  await msToUnavailable(store.history("checkout", 1));
  expect(log.about("no connection").map(({ fields }) => fields.code)).toEqual(["NOSENTINEL"]);
}, 60_000);
