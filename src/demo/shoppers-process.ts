/**
 * The sample shoppers as a process, for docker-compose: `node dist/demo/shoppers-process.js` with
 *
 *   PROXY_URL        http://127.0.0.1:8080
 *   RATE             8, arrivals a second
 *   SEED             another each time, unless given
 *   MAX_CONCURRENT   300
 *
 * Writes what they saw since the start as one JSON line every ten seconds, and once more at the end.
 */
import { randomInt } from "node:crypto";
import * as z from "zod";
import { createShoppers } from "./shoppers/shoppers.ts";
import { untilSignal } from "./until-signal.ts";

const environment = z.object({
  PROXY_URL: z.url({ protocol: /^http$/ }),
  RATE: z.coerce.number().positive().max(1000).default(8),
  SEED: z.coerce.number().int().min(0).optional(),
  MAX_CONCURRENT: z.coerce.number().int().min(1).max(10_000).default(300),
});
const summaryEveryMs = 10_000;

await untilSignal(async () => {
  const read = environment.safeParse(process.env);
  if (!read.success) throw new Error(`environment: ${z.prettifyError(read.error)}`);
  const { PROXY_URL, RATE, SEED = randomInt(2 ** 31), MAX_CONCURRENT } = read.data;
  const shoppers = createShoppers({
    proxyUrl: PROXY_URL,
    rate: RATE,
    seed: SEED,
    maxConcurrent: MAX_CONCURRENT,
  });
  const say = (msg: string) =>
    process.stdout.write(
      `${JSON.stringify({ msg, seed: SEED, underWay: shoppers.underWay(), ...shoppers.tally() })}\n`,
    );
  const summaries = setInterval(() => say("shoppers"), summaryEveryMs);
  say("ready");
  return {
    async close() {
      clearInterval(summaries);
      await shoppers.stop();
      say("stopped");
    },
  };
});
