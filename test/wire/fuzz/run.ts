/**
 * The fuzzer by hand: `npm run fuzz -- --cases 50000 --seed 7`. Prints each finding with its seed and number, and ends
 * with 1 when there is one. `--from N --cases 1` sends one case again; `--engine http-proxy` is the other engine.
 */
import { parseArgs } from "node:util";
import { engineNames } from "../proxy/lab.ts";
import { runCampaign } from "./campaign.ts";

const { values } = parseArgs({
  options: {
    cases: { type: "string", default: "10000" },
    seed: { type: "string", default: `${Date.now() % 1_000_000}` },
    from: { type: "string", default: "0" },
    engine: { type: "string", default: "undici" },
  },
});
const engine = engineNames.find((name) => name === values.engine);
const [seed, from, cases] = [Number(values.seed), Number(values.from), Number(values.cases)];
if (engine === undefined || ![seed, from, cases].every(Number.isSafeInteger)) {
  process.stderr.write("usage: --cases N --seed N [--from N] [--engine undici|http-proxy]\n");
  process.exit(2);
}
process.stdout.write(`seed ${seed}, cases ${from} to ${from + cases - 1}, ${engine}\n`);
const began = performance.now();
const { findings, forwarded } = await runCampaign({
  engine,
  seed,
  from,
  to: from + cases,
  onProgress(done) {
    if (done % 5000 === 0)
      process.stdout.write(`${done} cases, ${Math.round((performance.now() - began) / 1000)} s\n`);
  },
  onFinding({ number, before, what, bytes, told }) {
    process.stdout.write(
      `seed ${seed} case ${number} (after ${before}): ${what}\n  sent ${bytes}\n  told ${told}\n`,
    );
  },
});
process.stdout.write(
  `${cases} cases in ${Math.round((performance.now() - began) / 1000)} s; forwarded ${forwarded.cutover} requests, nginx ${forwarded.nginx}; ${findings.length} findings\n`,
);
process.exitCode = findings.length > 0 ? 1 : 0;
