/** When an answer goes out: at the end of the turn of the event loop in which it begins, all of such together. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createUncorking, type HttpAnswer, inboundOf } from "../../../../../src/proxy/listen/http1/http1.ts";
import { portOf } from "../../../../../src/proxy/listen/server.ts";
import { type RawClient, rawClient } from "../../../../support/raw-client.ts";
import { turn, until } from "../../../../support/until.ts";

const peer = { address: "192.0.2.7", encrypted: false };
const options = { draining: () => false, uncorkSoon: createUncorking() };
/** In the order of the clients they are for. */
const answers: { readonly answer: HttpAnswer; readonly response: ServerResponse }[] = [];
const clients: RawClient[] = [];
const server = createServer((request: IncomingMessage, response: ServerResponse) => {
  const { answer } = inboundOf(request, response, peer, false, options);
  answers[Number(request.url?.slice(1))] = { answer, response };
});

beforeEach(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  for (let i = 0; i < 2; i++) {
    const client = await rawClient(portOf(server.address()));
    clients.push(client);
    client.send(`GET /${i} HTTP/1.1\r\nHost: shop.example\r\n\r\n`);
    await until("its request", () => answers[i] !== undefined);
  }
});

afterEach(async () => {
  answers.length = 0;
  for (const client of clients.splice(0)) client.socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

function answerWhole({ answer }: { readonly answer: HttpAnswer }): void {
  answer.head({ status: 200, reason: "OK", fields: ["Content-Type", "text/plain"], length: 5 });
  answer.write(Buffer.from("whole"));
  answer.end([]);
}

test("answers of one turn leave when it ends", async () => {
  for (const each of answers) answerWhole(each);
  expect(answers.map(({ response }) => response.writableEnded)).toEqual([false, false]);

  await turn();
  expect(answers.map(({ response }) => response.writableEnded)).toEqual([true, true]);
  for (const client of clients) await client.saw("\r\n\r\nwhole");
});

test("a head whose content is still to come leaves when the turn ends, and the content when it comes", async () => {
  const [first] = answers;
  first?.answer.head({ status: 200, reason: "OK", fields: [], length: 5 });
  await clients[0]?.saw("\r\n\r\n");

  first?.answer.write(Buffer.from("later"));
  first?.answer.end([]);
  expect(first?.response.writableEnded).toBe(true);
  await clients[0]?.saw("\r\n\r\nlater");
});

test("chunks of one turn leave when it ends, those behind it at once, and trailers behind them", async () => {
  const [first] = answers;
  first?.answer.head({ status: 200, reason: "OK", fields: [], length: undefined });
  first?.answer.write(Buffer.from("one"));
  await clients[0]?.saw("\r\n3\r\none\r\n");

  first?.answer.write(Buffer.from("two"));
  first?.answer.end(["X-Sum", "six"]);
  await clients[0]?.saw("3\r\ntwo\r\n0\r\nX-Sum: six\r\n\r\n");
});

test("an answer whose client leaves in its turn is given up, and those beside it are not", async () => {
  for (const each of answers) answerWhole(each);
  answers[0]?.response.socket?.destroy();

  await clients[1]?.saw("\r\n\r\nwhole");
  expect(clients[0]?.text()).toBe("");
});
