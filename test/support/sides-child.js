/**
 * The two upstreams of test/support/sides.ts in a process of their own, and a third port that tells what reached them.
 * Plain JavaScript, so that it starts at once. Prints its ports as JSON and ends when its standard input does.
 */
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { buffer } from "node:stream/consumers";

/** The side that made each order: both count on, so that an id does not tell its side. */
const orders = new Map();
/** Of each idempotency key, the sides that have seen it. */
const keys = new Map();
/** Of callbacks: orders that another side had made. */
const wrong = [];
let right = 0;
let corrupt = 0;

function makeOrder(side, response) {
  const orderId = `O-${orders.size}`;
  orders.set(orderId, side);
  answerJson(response, side, 201, { orderId });
}

function takeCallback(side, request, response, body) {
  const { order_id: id } = JSON.parse(body.toString());
  if (orders.get(id) === side) right += 1;
  else wrong.push(id);
  if (createHash("sha256").update(body).digest("hex") !== request.headers["x-body-sha256"]) corrupt += 1;
  answerJson(response, side, 200, { side });
}

function stats() {
  const split = [...keys].filter(([, sides]) => sides.size > 1).map(([key]) => key);
  return { orders: Object.fromEntries(orders), keys: keys.size, split, right, wrong, corrupt };
}

function answerJson(response, side, status, value) {
  const text = JSON.stringify(value);
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
    "x-side": side,
  });
  response.end(text);
}

function answerName(side, request, response) {
  const shopper = request.headers["x-shopper-id"];
  response.writeHead(200, {
    "content-type": "text/plain",
    "content-length": side.length,
    "x-side": side,
    ...(typeof shopper === "string" ? { "x-shopper": shopper } : {}),
  });
  response.end(side);
}

function listenAs(side) {
  return listen((request, response) => {
    const key = request.headers["idempotency-key"];
    if (typeof key === "string") keys.set(key, (keys.get(key) ?? new Set()).add(side));
    if (request.url === "/checkout" || request.url === "/callbacks/payment") {
      buffer(request)
        .then((body) => {
          if (request.url === "/checkout") makeOrder(side, response);
          else takeCallback(side, request, response, body);
        })
        .catch(() => response.destroy());
      return;
    }
    request.resume();
    const [, ms] = /[?&]ms=(\d+)/.exec(request.url) ?? [];
    if (ms === undefined) answerName(side, request, response);
    else setTimeout(answerName, Number(ms), side, request, response);
  });
}

function listen(respond) {
  const server = createServer(respond);
  server.keepAliveTimeout = 60_000;
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve(server.address().port));
  });
}

const ports = {
  legacy: await listenAs("legacy"),
  new: await listenAs("new"),
  stats: await listen((_request, response) => response.end(JSON.stringify(stats()))),
};
process.stdout.write(`${JSON.stringify(ports)}\n`);
process.stdin.resume().on("end", () => process.exit(0));
