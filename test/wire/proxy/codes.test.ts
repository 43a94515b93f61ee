/** The code of an answer of the proxy's own: the same word with either engine (docs/failures.md). */
import { expect } from "vitest";
import { startFullListener } from "../../support/full-listener.ts";
import { answering, type Script } from "../../support/raw-upstream.ts";
import { duties, get, ok, type Running, request } from "./lab.ts";

const silent: Script = () => {};

async function codeOf(
  { answerTo }: Pick<Running, "answerTo">,
  bytes: string | Buffer = get(),
): Promise<unknown> {
  const { body } = await answerTo(bytes);
  const { code, outcome }: Readonly<Record<string, unknown>> = JSON.parse(body.toString());
  return [code, outcome];
}

duties("the code", (duty) => {
  const answers: Readonly<Record<string, readonly [code: string, bytes: string]>> = {
    "an answer that is not HTTP": ["protocol_error", "ICY 200 OK\r\n\r\n"],
    "a transfer coding that nobody takes off": [
      "unknown_transfer_coding",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nConnection: close\r\n\r\nhello",
    ],
    "a 101 that nobody asked for": [
      "unasked_upgrade",
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: evil\r\nConnection: upgrade\r\n\r\n",
    ],
    "a status below 100": ["protocol_error", "HTTP/1.1 099 OK\r\nContent-Length: 5\r\n\r\nhello"],
    "HTTP/2.0 in the status line": [
      "unknown_http_version",
      "HTTP/2.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    ],
    "a head without end": ["answer_head_too_large", `HTTP/1.1 200 OK\r\nX-A: ${"a".repeat(100_000)}`],
  };
  for (const [what, [code, bytes]] of Object.entries(answers)) {
    duty(`${code}: ${what}`, async (lab) => {
      expect(await codeOf(await lab.start(answering(bytes)))).toEqual([code, "protocol_error"]);
    });
  }

  duty("connect_failed: nobody listens", async (lab) => {
    const proxy = await lab.start(silent, { url: "http://127.0.0.1:1" });
    expect(await codeOf(proxy)).toEqual(["connect_failed", "connect_failed"]);
  });
  duty("connect_timeout: a connection that is not made in time", async (lab) => {
    const full = await startFullListener();
    try {
      const proxy = await lab.start(silent, { url: full.url.origin, timeouts: { connect: "100ms" } });
      expect(await codeOf(proxy)).toEqual(["connect_timeout", "connect_failed"]);
    } finally {
      full.close();
    }
  });
  duty("tls_failed: an upstream that speaks no TLS", async (lab) => {
    const plain = await lab.start(({ socket, write }) => {
      socket.once("data", () => write("HTTP/1.1 400 Bad Request\r\n\r\n"));
    });
    const proxy = await lab.start(silent, { url: plain.raw.url.origin.replace("http:", "https:") });
    expect(await codeOf(proxy)).toEqual(["tls_failed", "connect_failed"]);
  });
  duty("reset: a connection that ends without an answer", async (lab) => {
    const proxy = await lab.start((connection) => connection.onRequest(() => connection.socket.end()));
    expect(await codeOf(proxy, request("POST /", ["Content-Length: 0"]))).toEqual(["reset", "reset"]);
  });
  duty(
    "timeout: a head that does not come in time, and a request that takes too long in all",
    async (lab) => {
      for (const timeouts of [{ headers: "100ms" }, { total: "100ms" }]) {
        expect(await codeOf(await lab.start(silent, { timeouts }))).toEqual(["timeout", "timeout"]);
      }
    },
  );
  duty("overloaded: more than the upstream may have", async (lab) => {
    const proxy = await lab.start(silent, { upstream: { concurrency: { max: 1, queue: 0 } } });
    const first = await proxy.client();
    first.write(get());
    expect(await codeOf(proxy)).toEqual(["overloaded", "shed"]);
  });
  duty("headers_too_large, malformed_request: what the parser refuses", async (lab) => {
    const proxy = await lab.start(answering(ok()));
    expect(await codeOf(proxy, request("GET /", [`X-A: ${"a".repeat(20_000)}`]))).toEqual([
      "headers_too_large",
      "rejected",
    ]);
    expect(await codeOf(proxy, "GET / HTTP/1.1\r\nHost : a\r\n\r\n")).toEqual([
      "malformed_request",
      "rejected",
    ]);
  });
});
