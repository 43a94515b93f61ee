/**
 * The same bytes through this proxy, nginx and HAProxy: their upstreams see the same, or differences.ts says why not.
 * A program that is not installed is named as not run; nothing else is skipped with it.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isInstalled, oracleNames, startOracle } from "../../support/oracles.ts";
import { startRawUpstream } from "../../support/raw-upstream.ts";
import { engineNames, startProxy } from "../proxy/lab.ts";
import { cases } from "./cases.ts";
import { differences } from "./differences.ts";
import { essence, type Observation, observe, startWitness, type Witness } from "./observe.ts";

/** Only what is never answered waits for as long. */
const silenceMs = 700;
const methodOf = (bytes: string) => /\S+/.exec(bytes)?.[0] ?? "";
const ask = (proxy: URL, witness: Witness, bytes: string) =>
  observe(proxy, witness, [bytes], [methodOf(bytes)], silenceMs);

describe.each(engineNames)("through %s and through", (engine) => {
  const cleanups: (() => Promise<unknown>)[] = [];
  const own = new Map<string, Observation>();
  const oracles = new Map<string, { readonly url: URL; readonly witness: Witness }>();
  beforeAll(async () => {
    const witness = await startWitness();
    cleanups.push(() => witness.close());
    for (const name of oracleNames.filter(isInstalled)) {
      const seesThem = await startWitness();
      cleanups.push(() => seesThem.close());
      const oracle = await startOracle(name, [seesThem.url]);
      cleanups.push(() => oracle.close());
      for (const at of oracle.urls) oracles.set(name, { url: at, witness: seesThem });
    }
    const unused = await startRawUpstream(() => {});
    cleanups.push(() => unused.close());
    const proxy = await startProxy(engine, unused, { url: witness.url.origin }, cleanups);
    const url = new URL(proxy.url);
    // The first request of all is the slowest.
    await ask(url, witness, cases["a plain GET"] ?? "");
    for (const [name, bytes] of Object.entries(cases)) own.set(name, await ask(url, witness, bytes));
  });
  afterAll(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });
  const seenOf = (name: string): Observation => {
    const seen = own.get(name);
    if (seen === undefined) throw new Error("not sent");
    return seen;
  };

  test.each(Object.keys(cases))(
    "%s: what goes on is framed canonically and is no more than was sent",
    (name) => {
      const seen = seenOf(name);
      expect(seen.faults).toEqual([]);
      expect(seen.requests.length).toBeLessThanOrEqual(1);
      expect(essence(seen).join()).not.toContain("/evil");
    },
  );

  for (const oracleName of oracleNames) {
    describe.skipIf(!isInstalled(oracleName))(`${oracleName} (not run where it is not installed)`, () => {
      test.each(Object.entries(cases))("%s", async (name, bytes) => {
        const oracle = oracles.get(oracleName);
        if (oracle === undefined) throw new Error("not started");
        const theirs = essence(await ask(oracle.url, oracle.witness, bytes));
        const ours = essence(seenOf(name));
        const difference = differences[name]?.[oracleName]?.cutover;
        switch (difference) {
          case undefined:
            return expect(ours).toEqual(theirs);
          case "refuses":
            expect(ours).toEqual([]);
            return expect(theirs).not.toEqual([]);
          case "passes":
            expect(ours).toHaveLength(1);
            return expect(theirs).toEqual([]);
          case "otherwise":
            expect(ours).toHaveLength(1);
            expect(theirs).not.toEqual([]);
            return expect(ours).not.toEqual(theirs);
        }
      });
    });
  }
});

test("no difference is listed of a case that is not", () => {
  expect(Object.keys(differences).filter((name) => !Object.hasOwn(cases, name))).toEqual([]);
});
