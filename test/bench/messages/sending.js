// 64 open WebSockets, each with a message of 100 octets under way: the next when it is back. Plain JavaScript.
// Usage: sending.js URL; at SIGINT it prints one line of JSON.
import { WebSocket } from "ws";

const [url] = process.argv.slice(2);
const message = "x".repeat(100);
const millis = [];
let errors = 0;
let isStopping = false;
const began = performance.now();

for (let place = 1; place <= 64; place++) {
  const headers = { host: "shop.example", cookie: `theme=dark; sid=shopper-${place}` };
  const socket = new WebSocket(url, { headers, rejectUnauthorized: false, perMessageDeflate: false });
  let sentAt = 0;
  const send = () => {
    sentAt = performance.now();
    socket.send(message);
  };
  socket.on("open", send);
  socket.on("message", (data) => {
    if (String(data) !== message) errors += 1;
    millis.push(performance.now() - sentAt);
    send();
  });
  const failed = () => {
    if (!isStopping) errors += 1;
  };
  socket.on("error", failed).on("close", failed);
}

process.once("SIGINT", () => {
  isStopping = true;
  const seconds = (performance.now() - began) / 1000;
  millis.sort((a, b) => a - b);
  const at = (share) => millis[Math.floor(share * (millis.length - 1))] ?? 0;
  const result = { requests: millis.length, seconds, p50Ms: at(0.5), p99Ms: at(0.99), errors };
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
});
