/**
 * The two upstreams of test/support/sides.ts, in a process of their own: each answers everything with its name, and
 * says whose request it was. Prints its two ports as JSON and ends when its standard input does.
 */
import { createServer } from "node:http";

function listen(side: string): Promise<number> {
  const server = createServer((request, response) => {
    request.resume();
    const shopper = request.headers["x-shopper-id"];
    response.writeHead(200, {
      "content-type": "text/plain",
      "content-length": side.length,
      "x-side": side,
      ...(typeof shopper === "string" ? { "x-shopper": shopper } : {}),
    });
    response.end(side);
  });
  server.keepAliveTimeout = 60_000;
  return new Promise((resolve, reject) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      if (address === null || typeof address === "string") reject(new Error("no port"));
      else resolve(address.port);
    });
  });
}

const ports = { legacy: await listen("legacy"), new: await listen("new") };
process.stdout.write(`${JSON.stringify(ports)}\n`);
process.stdin.resume().on("end", () => process.exit(0));
