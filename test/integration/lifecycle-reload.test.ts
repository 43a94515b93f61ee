/** SIGHUP under load: a good configuration is swapped whole, a bad one changes nothing. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { type AdminApi, createAdminApi } from "../support/admin-api.ts";
import { type Served, startServe } from "../support/cutover.ts";
import { failed, type Load, startLoad } from "../support/kept-load.ts";
import { fallen, scrape, sumOf } from "../support/scrape.ts";
import { cartsByShopper, type Shape, serveYaml } from "../support/serve-yaml.ts";
import { type Sides, startSides } from "../support/sides.ts";
import { until } from "../support/until.ts";

const isFull = process.env.CUTOVER_BARS === "full";

let folder: string;
let sides: Sides;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cutover-reload-"));
  sides = await startSides();
});
afterAll(async () => {
  await sides.stop();
  await rm(folder, { recursive: true });
});

const kept = "the configuration was not changed: the one in force stays";
const names = z.array(z.looseObject({ name: z.string() }));

describe.each(isFull ? [1, 2] : [2])("with workers %d", (workers) => {
  let serve: Served;
  let admin: AdminApi;
  let load: Load;

  const yaml = (more: Partial<Shape> = {}) => serveYaml({ sides, workers, ...more });
  beforeAll(async () => {
    serve = await startServe({ folder, name: `workers-${workers}`, yaml: yaml() });
    admin = createAdminApi(serve.admin);
  });
  afterAll(async () => {
    await admin.close();
    await serve.kill();
  });
  afterEach(() => load.stop());

  const sideOf = async (path: string) => {
    const answer = await fetch(`${serve.proxy}${path}`, { headers: { "x-shopper-id": "somebody" } });
    await answer.text();
    return {
      side: answer.headers.get("x-side"),
      decided: answer.headers.get("x-cutover-decision")?.split(";")[0],
    };
  };
  const configured = async () => {
    const answer = await fetch(`${serve.admin}/api/v1/cutovers`);
    return names.parse(await answer.json()).map(({ name }) => name);
  };

  const warned = async () => {
    const views = z.array(z.looseObject({ warnings: z.array(z.object({ code: z.string() })) }));
    const [view] = views.parse(await (await fetch(`${serve.admin}/api/v1/cutovers`)).json());
    return view?.warnings.map(({ code }) => code) ?? [];
  };

  test("a wrong file, and what cannot change while it runs, change nothing and are told with their places", async () => {
    load = startLoad(serve.proxy, { perSecond: 500 });
    await admin.set(100);
    await serve.rewrite(`${yaml({ others: { search: "/search/*" } })}colour: red\n`);
    serve.signal("SIGHUP");
    const [wrong] = await serve.said(kept);
    expect(wrong).toMatchObject({ level: "error", line: expect.any(Number), column: 1, path: "colour" });
    expect(await configured()).toEqual(["checkout"]);
    expect(await warned()).toContain("reload_refused");
    expect((await scrape(serve.admin)).get("cutover_config_reload_success")).toBe(0);

    await serve.rewrite(
      yaml({
        store: `file:${join(folder, "other.json")}`,
        others: { search: "/search/*" },
        cutover: ["salt: other", ...cartsByShopper],
        more: ["prefix: other"],
        workers: 3,
      }),
    );
    serve.signal("SIGHUP");
    const lines = await serve.said(kept, 5);
    const problems = lines.slice(1).map(({ problem }) => String(problem).split(":")[0]);
    expect(problems.sort()).toEqual(["cutovers.checkout.salt", "prefix", "store", "workers"]);
    expect(await configured()).toEqual(["checkout"]);
    expect(await sideOf("/search/1")).toMatchObject({ side: "legacy", decided: undefined });
    expect(await sideOf("/cart/1")).toEqual({ side: "new", decided: "checkout" });

    await load.stop();
    expect(failed(load.sent)).toEqual([]);
  });

  test("routes, cutovers and upstreams come and go; totals stay, new series begin at 0, nobody fails", async () => {
    await admin.set(100);
    const atFirst = sumOf(await scrape(serve.admin), "cutover_requests_total");
    load = startLoad(serve.proxy, { perSecond: 500 });
    await until("the load to be under way", () => load.sent.length > 100, 20_000);
    const before = await scrape(serve.admin);
    const slow = fetch(`${serve.proxy}/cart/1?ms=1500`, { headers: { "x-shopper-id": "somebody" } });
    // Answered on a connection that came after that one's.
    await sideOf("/cart/1");

    // The sides change places, and a cutover comes.
    await serve.rewrite(
      yaml({ sides: { legacy: sides.new, new: sides.legacy }, others: { search: "/search/*" } }),
    );
    serve.signal("SIGHUP");
    const [swapped] = await serve.said("configuration swapped");
    expect(swapped?.changed).toEqual(expect.arrayContaining(["cutovers.search (added)"]));
    expect(await configured()).toEqual(["checkout", "search"]);
    expect(await sideOf("/cart/1")).toEqual({ side: "legacy", decided: "checkout" });
    // Who was under way is answered by where it was sent.
    expect((await slow).headers.get("x-side")).toBe("new");

    const series = await scrape(serve.admin);
    expect(fallen(before, series)).toEqual([]);
    expect(series.get('cutover_requests_total{cutover="search",route="main",side="new",outcome="ok"}')).toBe(
      0,
    );
    expect(series.get('cutover_percent{cutover="search"}')).toBe(0);
    expect(await sideOf("/search/1")).toEqual({ side: "new", decided: "search" });
    expect(await admin.set(50)).toMatchObject({ answer: { applied: { instances: 1, of: 1 } } });

    // It goes, and comes back with what it had counted.
    await serve.rewrite(yaml());
    serve.signal("SIGHUP");
    await serve.said("configuration swapped", 2);
    expect(await configured()).toEqual(["checkout"]);
    expect(sumOf(await scrape(serve.admin), "cutover_requests_total", 'cutover="search"')).toBe(0);
    await serve.rewrite(yaml({ others: { search: "/search/*" } }));
    serve.signal("SIGHUP");
    await serve.said("configuration swapped", 3);
    const back = await scrape(serve.admin);
    expect(back.get('cutover_requests_total{cutover="search",route="main",side="legacy",outcome="ok"}')).toBe(
      1,
    );

    await load.stop();
    expect(fallen(before, back)).toEqual([]);
    expect(load.sent.length).toBeGreaterThan(200);
    expect(failed(load.sent)).toEqual([]);
    const end = await scrape(serve.admin);
    expect(sumOf(end, "cutover_inflight_requests")).toBe(0);
    // The load, and what was fetched here: slow, twice /cart or /search.
    expect(sumOf(end, "cutover_requests_total") - atFirst).toBe(load.sent.length + 4);
  });
});
