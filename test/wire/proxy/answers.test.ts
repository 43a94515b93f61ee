/** Answers that are looked into on their way: over real sockets, by both engines, to HTTP/1.1 and HTTP/2. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type ClientHttp2Session, connect } from "node:http2";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { engineNames, startProxy } from "../../support/proxy.ts";
import { secured } from "../../support/secured.ts";
import { until } from "../../support/until.ts";

const { authority, pair, cleanups } = secured();

const cutover = {
  routes: [
    { name: "cart", path: "/cart/*" },
    {
      name: "api",
      path: "/graphql",
      methods: ["POST"],
      journey: {
        start: { when: "json:/data/addItemToOrder/code" },
        end: { when: "json:/data/addPaymentToOrder/code", unless: "json:/errors" },
      },
    },
  ],
  owners: [
    { key: "json:/code", learn: ["json:/data/addItemToOrder/code", "json:/data/addPaymentToOrder/code"] },
  ],
};

/** What the shop answers to each operation, in the best coding that it is asked for. */
const answers: Readonly<Record<string, unknown>> = {
  add: { data: { addItemToOrder: { code: "C1", lines: "x".repeat(70_000) } } },
  declined: { data: { addPaymentToOrder: { errorCode: "PAYMENT_DECLINED_ERROR" } } },
  paid: { data: { addPaymentToOrder: { code: "C1", state: "PaymentSettled" } } },
};

async function startShop(): Promise<Server> {
  const answer = (request: IncomingMessage, response: ServerResponse, asked: string) => {
    const body = JSON.stringify(answers[asked] ?? { data: {} });
    const accepted = String(request.headers["accept-encoding"] ?? "");
    const fields: Record<string, string> = { "Content-Type": "text/html", "X-Asked": accepted };
    let content: Buffer | string = body;
    if (accepted.includes("zstd"))
      [fields["Content-Encoding"], content] = ["zstd", "no Node of ours reads this"];
    else if (accepted.includes("br"))
      [fields["Content-Encoding"], content] = ["br", brotliCompressSync(body)];
    else if (accepted.includes("gzip")) [fields["Content-Encoding"], content] = ["gzip", gzipSync(body)];
    response.writeHead(200, fields).end(content);
  };
  const server = createServer((request, response) => {
    let asked = "";
    request.on("data", (chunk: Buffer) => {
      asked += chunk.toString();
    });
    request.on("end", () => answer(request, response, asked));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(async () => {
    server.closeAllConnections();
    server.close();
  });
  return server;
}

interface Answered {
  readonly asked: string;
  readonly cookie: string | undefined;
}

describe.each(engineNames)("with %s", (engine) => {
  async function start() {
    const shop = await startShop();
    const address = shop.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const old = { url: `http://127.0.0.1:${port}` };
    const proxy = await startProxy({ engine, old, cutover, tls: pair });
    cleanups.push(() => proxy.close());
    const session: ClientHttp2Session = connect(`https://localhost:${proxy.port}`, { ca: authority.caPem });
    session.on("error", () => {});
    cleanups.push(() => session.destroy());
    let kept = "";
    const ask = (path: string, body: string, coding: string) =>
      new Promise<Answered>((resolve, reject) => {
        const headers = {
          ":method": "POST",
          ":path": path,
          "x-shopper-id": "a",
          cookie: `a=b${kept}`,
          "accept-encoding": coding,
        };
        const stream = session.request(headers);
        let given: Answered = { asked: "", cookie: undefined };
        stream.on("response", (got) => {
          const [cookie] = [got["set-cookie"] ?? []].flat();
          if (cookie !== undefined) kept = `; ${cookie.split(";")[0]}`;
          given = { asked: String(got["x-asked"]), cookie };
        });
        stream.on("error", reject);
        stream.resume();
        stream.on("end", () => resolve(given));
        stream.end(body);
      });
    return { proxy, ask };
  }

  test("a card that is declined with a 200 ends no journey, and the answer that pays finishes its order", async () => {
    const { proxy, ask } = await start();
    const events = () => proxy.journeys.map(({ event }) => event);
    expect((await ask("/graphql", "add", "gzip")).cookie).toMatch(/^cutover_journey=/);
    expect([...proxy.owned]).toEqual([["C1", "legacy"]]);
    await ask("/graphql", "declined", "br");
    expect(proxy.finished).toEqual([]);
    expect(events()).not.toContain("end");
    await ask("/graphql", "paid", "deflate");
    await until("the end", () => events().includes("end"));
    expect(proxy.finished).toEqual(["checkout C1"]);
    expect(proxy.counted.filter((text) => text.startsWith("unread answer"))).toEqual([]);
  });

  test("an answer that is looked into is asked for in a coding that can be read", async () => {
    const { proxy, ask } = await start();
    const given = await ask("/graphql", "add", "zstd, br;q=0.9, *;q=0.1");
    expect(given.asked).toBe("br;q=0.9, gzip;q=0.1, deflate;q=0.1, identity;q=0.1");
    expect(given.cookie).toMatch(/^cutover_journey=/);
    expect((await ask("/graphql", "add", "zstd")).asked).toBe("identity");
    expect((await ask("/cart/1", "add", "zstd, gzip")).asked).toBe("zstd, gzip");
    expect([...proxy.owned.keys()]).toEqual(["C1"]);
  });
});
