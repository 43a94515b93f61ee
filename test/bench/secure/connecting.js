// A new TLS connection for each request, eight at a time: with a full handshake, or resumed by the ticket of the one
// before. Plain JavaScript. Usage: connecting.js PORT full|resumed; at SIGINT it prints one line of JSON.
import { connect } from "node:tls";

const [port, kind] = process.argv.slice(2);
const lanes = 8;
const millis = [];
let errors = 0;
let shopper = 0;
let stopping = false;
let session;
const began = performance.now();

function once() {
  return new Promise((resolve) => {
    const from = performance.now();
    let answer = "";
    const socket = connect({
      ...{ port: Number(port), host: "127.0.0.1", servername: "localhost", rejectUnauthorized: false },
      ALPNProtocols: ["http/1.1"],
      ...(kind === "resumed" && session !== undefined ? { session } : {}),
    });
    const asked = kind === "resumed" && session !== undefined;
    let isReused = false;
    socket.on("session", (ticket) => {
      session = ticket;
    });
    socket.on("secureConnect", () => {
      isReused = socket.isSessionReused();
      shopper = (shopper % 1000) + 1;
      socket.write(
        `GET /cart/items?page=2 HTTP/1.1\r\nHost: shop.example\r\nCookie: theme=dark; sid=shopper-${shopper}\r\nConnection: close\r\n\r\n`,
      );
    });
    socket.setEncoding("latin1");
    socket.on("data", (chunk) => {
      answer += chunk;
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      if (!answer.startsWith("HTTP/1.1 200 ") || isReused !== asked) errors += 1;
      else millis.push(performance.now() - from);
      resolve();
    });
  });
}

process.once("SIGINT", () => {
  stopping = true;
});
await once();
await Promise.all(
  Array.from({ length: lanes }, async () => {
    while (!stopping) await once();
  }),
);
millis.sort((a, b) => a - b);
const at = (share) => millis[Math.floor(share * (millis.length - 1))] ?? 0;
const result = { requests: millis.length, seconds: (performance.now() - began) / 1000 };
console.log(JSON.stringify({ ...result, p50Ms: at(0.5), p99Ms: at(0.99), errors }));
process.exit(0);
