/** A collector of spans that is slow, refuses, or never answers: what is lost is counted and said, and nothing waits for it. */
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type RequestListener, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { type Served, startServe } from "../support/cutover.ts";
import { scrape, sumOf } from "../support/scrape.ts";
import { serveYaml } from "../support/serve-yaml.ts";
import { type Sides, startSides } from "../support/sides.ts";
import { eventually } from "../support/until.ts";

const delivery = z.object({
  resourceSpans: z.array(z.object({ scopeSpans: z.array(z.object({ spans: z.array(z.unknown()) })) })),
});
/** Lost spans are counted in this. */
const lost = "cutover_spans_lost_total";
const said = "the collector did not take traces: they are lost";

let folder: string;
let sides: Sides;
const after: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cutover-traces-"));
  sides = await startSides();
});
afterEach(async () => {
  for (const end of after.splice(0)) await end();
});
afterAll(async () => {
  await sides.stop();
  await rm(folder, { recursive: true });
});

/** @returns how many spans have come, and where it is */
async function startCollector(answer: (response: ServerResponse) => void) {
  let spans = 0;
  const receive: RequestListener = async (request, response) => {
    const { resourceSpans } = delivery.parse(JSON.parse((await buffer(request)).toString()));
    for (const { scopeSpans } of resourceSpans) for (const each of scopeSpans) spans += each.spans.length;
    answer(response);
  };
  const server = createServer(receive).listen(0, "127.0.0.1");
  await once(server, "listening");
  after.push(async () => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = z.object({ port: z.int() }).parse(server.address());
  return { url: `http://127.0.0.1:${port}`, spans: () => spans };
}

async function serve(name: string, url: string, workers = 1): Promise<Served> {
  const yaml = serveYaml({ sides, workers, more: [`otlp: '${url}'`] });
  const served = await startServe({ folder, name, yaml });
  after.push(() => served.kill());
  return served;
}

/** As many requests, a few at a time. Each is answered, and makes two spans. */
async function askOften({ proxy }: Served, times: number): Promise<void> {
  let asked = 0;
  const askOn = async () => {
    while (asked++ < times) expect((await fetch(`${proxy}/cart/1`)).status).toBe(200);
  };
  await Promise.all(Array.from({ length: 20 }, askOn));
}

test.each([1, 2])(
  "with workers %d each span that a slow collector has no room for is counted, and that is said",
  async (workers) => {
    const held: ServerResponse[] = [];
    let isHeld = true;
    const collector = await startCollector((response) => {
      if (isHeld) held.push(response);
      else response.end("{}");
    });
    const served = await serve(`slow-${workers}`, collector.url, workers);
    expect(sumOf(await scrape(served.admin), lost)).toBe(0);
    const requests = workers * 2000;
    await askOften(served, requests);
    isHeld = false;
    for (const response of held) response.end("{}");
    let sum = 0;
    await eventually(
      "each span is delivered or counted as lost",
      async () => {
        sum = sumOf(await scrape(served.admin), lost, 'why="full"');
        return sum + collector.spans() === requests * 2;
      },
      10_000,
    );
    expect(sum).toBeGreaterThan(0);
    expect((await served.said(said))[0]).toMatchObject({ why: "full" });
  },
  30_000,
);

test("a collector that refuses: the log says by which answer, and how many spans", async () => {
  const collector = await startCollector((response) => response.writeHead(401, "No such key").end());
  const served = await serve("refused", collector.url);
  await askOften(served, 3);
  const [line] = await served.said(said);
  expect(line).toMatchObject({ why: "refused", error: "401 No such key" });
  expect(sumOf(await scrape(served.admin), lost, 'why="refused"')).toBe(collector.spans());
});

test("a collector that takes a part: the log says what it says", async () => {
  const partialSuccess = { rejectedSpans: 6, errorMessage: "over the quota" };
  const collector = await startCollector((response) => response.end(JSON.stringify({ partialSuccess })));
  const served = await serve("part", collector.url);
  await askOften(served, 3);
  const [line] = await served.said("OpenTelemetry warns of the delivery of traces");
  expect(line?.said).toContain("over the quota");
});

test("a collector that never answers holds no stop up", async () => {
  const collector = await startCollector(() => undefined);
  const served = await serve("hung", collector.url);
  await askOften(served, 3);
  await eventually("a delivery is under way", async () => collector.spans() > 0, 5000);
  const begunAt = performance.now();
  expect(await served.stop()).toBe(0);
  // 2 s are granted to what is left; the SDK itself would wait for 10.
  expect(performance.now() - begunAt).toBeLessThan(6000);
}, 20_000);
