/**
 * Consoles that are open on one instance, in a process of their own: each reads the stream of events and asks what the page's
 * script asks, as often (src/console/browser/renewal.ts). `node consoles-child.js ADMIN_URL HOW_MANY`; says `open` once all
 * have their first figures, and at its end how many events and answers there were.
 */
import { Agent, get } from "node:http";

const [, , admin, many] = process.argv;
const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });
const cutover = `${admin}/api/v1/cutovers/checkout`;
const oftenMs = 10_000;
const seldomMs = 60_000;
let events = 0;
let answers = 0;
let wrong = 0;

/** @returns when the last octet has come */
function ask(url) {
  return new Promise((resolve) => {
    const request = get(url, { agent, headers: { "accept-encoding": "gzip" } }, (response) => {
      if (response.statusCode !== 200) wrong += 1;
      response.resume();
      response.once("end", () => {
        answers += 1;
        resolve();
      });
    });
    request.once("error", () => {
      wrong += 1;
      resolve();
    });
  });
}

const since = (agoMs) => new Date(Date.now() - agoMs).toISOString();

async function openOne() {
  await ask(`${admin}/`);
  await Promise.all([ask(`${admin}/console.js`), ask(`${admin}/charts.js`)]);
  await new Promise((resolve) => {
    get(`${admin}/api/v1/events`, (response) => {
      response.setEncoding("utf8").on("data", (text) => {
        events += text.split("event: ").length - 1;
        resolve();
      });
    });
  });
  await Promise.all([
    ask(`${admin}/api/v1/instances`),
    ask(`${cutover}/history?limit=30`),
    ask(`${cutover}/plan`),
    ask(`${cutover}/series?since=${since(1_800_000)}`),
    ask(`${cutover}/payments?since=${since(1_800_000)}`),
  ]);
  // People open them at different moments.
  setTimeout(() => {
    setInterval(() => {
      void ask(`${admin}/api/v1/instances`);
      void ask(`${cutover}/series?since=${since(15_000)}`);
    }, oftenMs);
    setInterval(() => {
      void ask(`${cutover}/history?limit=30`);
      void ask(`${cutover}/payments?since=${since(1_800_000)}`);
    }, seldomMs);
  }, Math.random() * oftenMs);
}

for (let one = 0; one < Number(many); one += 1) await openOne();
process.stdout.write("open\n");
process.once("SIGTERM", () => {
  process.stdout.write(`${JSON.stringify({ events, answers, wrong })}\n`, () => process.exit(0));
});
