// The engine bare: node:http and undici's dispatch, nothing decided, counted, logged or checked. Plain JavaScript,
// so that nothing but Node runs in the process that is measured. Usage: bare-engine.js PORT UPSTREAM_PORT
import { createServer } from "node:http";
import { Pool } from "undici";
import { relayBy } from "./relay-http1.js";

const [port, upstreamPort] = process.argv.slice(2).map(Number);
const pool = new Pool(`http://127.0.0.1:${upstreamPort}`, { pipelining: 1 });

createServer(relayBy(pool)).listen(port, "127.0.0.1");

// A clean end, so that --profile writes what it saw.
process.once("SIGTERM", () => process.exit(0));
