/**
 * Sends wrong tokens to an admin API at a fixed rate over 16 kept connections, until its standard input ends. Prints a
 * line once it is answered, and in the end how each was answered, by status, and how many were sent. In a process of its
 * own: it must not slow who measures. Plain JavaScript, so that it starts at once.
 */
import { Agent, request } from "node:http";

const [url = "", perSecond = "1000"] = process.argv.slice(2);
const agent = new Agent({ keepAlive: true, maxSockets: 16 });
const target = new URL("/api/v1/cutovers", url);
const counts = { sent: 0 };
const begun = performance.now();
let isOver = false;
let isAnswered = false;

function count(key) {
  counts[key] = (counts[key] ?? 0) + 1;
}

function sendOne() {
  count("sent");
  const headers = { authorization: `Bearer guess-${counts.sent}` };
  const sent = request(target, { agent, headers }, (response) => {
    count(String(response.statusCode));
    response.resume();
    if (!isAnswered) process.stdout.write("answered\n");
    isAnswered = true;
  });
  sent.on("error", () => count("error"));
  sent.end();
}

const timer = setInterval(() => {
  const due = ((performance.now() - begun) / 1000) * Number(perSecond);
  while (!isOver && counts.sent < due) sendOne();
}, 5);

process.stdin.resume().once("end", () => {
  isOver = true;
  clearInterval(timer);
  process.stdout.write(`${JSON.stringify(counts)}\n`, () => process.exit(0));
});
