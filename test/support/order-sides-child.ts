/**
 * The two upstreams of test/support/order-sides.ts in a process of their own. Both make orders from one count, so that
 * an id does not tell its side; each notes what reaches it. Prints its ports as JSON and ends with its standard input.
 */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import { buffer } from "node:stream/consumers";

type Side = "legacy" | "new";

const orders = new Map<string, Side>();
const keys = new Map<string, Set<Side>>();
const wrong: string[] = [];
let right = 0;
let corrupt = 0;

async function answer(side: Side, request: IncomingMessage): Promise<unknown> {
  const body = await buffer(request);
  const key = request.headers["idempotency-key"];
  if (typeof key === "string") keys.set(key, (keys.get(key) ?? new Set()).add(side));
  if (request.url === "/checkout") {
    const orderId = `O-${orders.size}`;
    orders.set(orderId, side);
    return { orderId };
  }
  if (request.url === "/callbacks/payment") {
    const { order_id: id } = JSON.parse(body.toString());
    if (orders.get(id) === side) right += 1;
    else wrong.push(id);
    if (createHash("sha256").update(body).digest("hex") !== request.headers["x-body-sha256"]) corrupt += 1;
  }
  return { side };
}

function stats() {
  const split = [...keys].filter(([, sides]) => sides.size > 1).map(([key]) => key);
  return { orders: Object.fromEntries(orders), keys: keys.size, split, right, wrong, corrupt };
}

function listen(respond: (request: IncomingMessage) => Promise<unknown>): Promise<number> {
  const server = createServer((request, response) => {
    respond(request).then(
      (said) => {
        const text = JSON.stringify(said);
        response.writeHead(request.url === "/checkout" ? 201 : 200, {
          "content-type": "application/json",
          "content-length": Buffer.byteLength(text),
        });
        response.end(text);
      },
      () => response.destroy(),
    );
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

const ports = {
  legacy: await listen((request) => answer("legacy", request)),
  new: await listen((request) => answer("new", request)),
  stats: await listen(async () => stats()),
};
process.stdout.write(`${JSON.stringify(ports)}\n`);
process.stdin.resume().on("end", () => process.exit(0));
