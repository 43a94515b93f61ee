// The engine bare: node:http and undici's dispatch, nothing decided, counted, logged or checked. Plain JavaScript,
// so that nothing but Node runs in the process that is measured. Usage: bare-engine.js PORT UPSTREAM_PORT
import { createServer } from "node:http";
import { Pool } from "undici";

const [port, upstreamPort] = process.argv.slice(2).map(Number);
const pool = new Pool(`http://127.0.0.1:${upstreamPort}`, { pipelining: 1 });
const ofTheConnection = new Set(["connection", "keep-alive", "transfer-encoding"]);

function endToEnd(raw) {
  const fields = [];
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i].toString("latin1");
    if (!ofTheConnection.has(name.toLowerCase())) fields.push(name, raw[i + 1].toString("latin1"));
  }
  return fields;
}

createServer((request, response) => {
  const { method, url, rawHeaders } = request;
  pool.dispatch(
    { method, path: url, headers: endToEnd(rawHeaders), body: method === "GET" ? null : request },
    {
      onConnect() {},
      onHeaders(status, raw, resume, reason) {
        response.writeHead(status, reason, endToEnd(raw));
        response.on("drain", resume);
        return true;
      },
      onData: (chunk) => response.write(chunk),
      onComplete: () => response.end(),
      onError: () => response.destroy(),
    },
  );
}).listen(port, "127.0.0.1");

// A clean end, so that --profile writes what it saw.
process.once("SIGTERM", () => process.exit(0));
