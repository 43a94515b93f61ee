/** A kept connection may stay idle for a minute, and there are thousands: it holds nothing of what it was used for. */
import { createServer } from "node:http";
import { expect, test } from "vitest";
import { forgetAnswered, type InTurn, takeInTurn } from "../../../../../src/proxy/listen/http1/pipelining.ts";
import { portOf } from "../../../../../src/proxy/listen/server.ts";
import { collector } from "../../../../support/collector.ts";
import { rawClient } from "../../../../support/raw-client.ts";
import { turn, until } from "../../../../support/until.ts";

const get = "GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n";

test("an idle connection holds nothing of the exchanges on it", async () => {
  const collect = collector();
  const connection: InTurn = { latest: undefined };
  const exchanges: WeakRef<object>[] = [];
  const server = createServer((request, response) => {
    exchanges.push(new WeakRef(request), new WeakRef(response));
    response.on("close", () => forgetAnswered(connection));
    takeInTurn(connection, request, response, () => response.end("answered"));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const client = await rawClient(portOf(server.address()));
  client.send(get);
  await client.saw("answered");
  client.send(get);
  await until("both answers", () => client.text().split("answered").length === 3);

  await turn();
  collect();
  expect(exchanges.map((exchange) => exchange.deref())).toEqual([undefined, undefined, undefined, undefined]);
  client.socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});
