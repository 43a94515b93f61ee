// http-proxy as its README has it, with a keep-alive agent. Plain JavaScript, so that nothing but Node runs in the
// process that is measured. Usage: bare-http-proxy.js PORT UPSTREAM_PORT
import { Agent, createServer } from "node:http";
import httpProxy from "http-proxy";

const [port, upstreamPort] = process.argv.slice(2).map(Number);
const proxy = httpProxy.createProxyServer({
  target: `http://127.0.0.1:${upstreamPort}`,
  agent: new Agent({ keepAlive: true }),
});
proxy.on("error", (_error, _request, response) => response.destroy());
createServer((request, response) => proxy.web(request, response)).listen(port, "127.0.0.1");

// A clean end, so that --profile writes what it saw.
process.once("SIGTERM", () => process.exit(0));
