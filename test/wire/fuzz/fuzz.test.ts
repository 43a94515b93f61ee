/** A bounded run of the fuzzer for every run of the tests; longer ones by hand (run.ts). */
import { describe, expect, test } from "vitest";
import { engineNames } from "../proxy/lab.ts";
import { runCampaign } from "./campaign.ts";
import { readAll } from "./reference.ts";

/** FUZZ_SEED repeats a run. */
const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 1_000_000);
const cases = { undici: 1500, "http-proxy": 500 } as const;

describe("fuzzed requests", () => {
  test.each(engineNames)(
    `through %s are forwarded as they were sent, or not at all (FUZZ_SEED=${seed})`,
    async (engine) => {
      const { findings, forwarded } = await runCampaign({ engine, seed, from: 0, to: cases[engine] });
      expect(findings, `seed ${seed}`).toEqual([]);
      // A grammar of nothing but refusals would find nothing.
      expect(forwarded.cutover).toBeGreaterThan(cases[engine] / 4);
    },
    120_000,
  );
});

describe("the reference", () => {
  const get = "GET /a HTTP/1.1\r\nHost: x\r\n";
  test.each([
    ["a request", `${get}\r\n`, 1, "end"],
    ["two requests", `${get}\r\n${get}\r\n`, 2, "end"],
    ["nothing behind Connection: close", `${get}Connection: a, close\r\n\r\n${get}\r\n`, 1, "end"],
    ["a length", `${get}Content-Length: 2\r\n\r\nab${get}\r\n`, 2, "end"],
    ["chunks", `${get}Transfer-Encoding: chunked\r\n\r\n2;x\r\nab\r\n0\r\nT: u\r\n\r\n${get}\r\n`, 2, "end"],
    ["a body that is not whole", `${get}Content-Length: 3\r\n\r\nab`, 0, "incomplete"],
    ["both framings", `${get}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n`, 0, "invalid"],
    ["a bare LF", `${get}X: y\nZ: a\r\n\r\n`, 0, "invalid"],
    [
      "a chunk size with a sign",
      `${get}Transfer-Encoding: chunked\r\n\r\n+2\r\nab\r\n0\r\n\r\n`,
      0,
      "invalid",
    ],
  ])("reads %s", (_, bytes, count, rest) => {
    const reading = readAll(bytes);
    expect([reading.requests.length, reading.rest]).toEqual([count, rest]);
  });
});
