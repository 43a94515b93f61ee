/** A hand-over as a shop reads it off its socket, by what it has there: method, Host and path of its own request. */
import { afterEach, describe, expect, test } from "vitest";
import { handoverField, verifyHandover } from "../../../src/proxy/handover/token.ts";
import { engineNames, startProxy } from "../../support/proxy.ts";
import { rawClient } from "../../support/raw-client.ts";
import { type RawUpstream, type Script, startRawUpstream, valuesOf } from "../../support/raw-upstream.ts";

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const secret = "a secret of thirty-two characters";
const granted = "101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
const answering: Script = (connection) =>
  connection.onRequest(({ fields }) => {
    const isUpgrade = valuesOf(fields, "upgrade").length > 0;
    connection.write(`HTTP/1.1 ${isUpgrade ? granted : "200 OK\r\nContent-Length: 2\r\n\r\nok"}`);
  });

/** What the shop believes of the last request it has. */
function believed(raw: RawUpstream, nowMs: number) {
  const { line = "", fields = [] } = raw.requests().at(-1) ?? {};
  const [method = "", target = ""] = line.split(" ");
  const [host = ""] = valuesOf(fields, "host");
  const tokens = valuesOf(fields, handoverField);
  const [path = ""] = target.split("?");
  const options = { secrets: [secret], audience: "fresh", method, host, path, nowMs };
  return { tokens: tokens.length, ...verifyHandover(tokens[0], options) };
}

describe.each(engineNames)("by %s", (engine) => {
  test("is believed by the shop that it goes to, in requests and handshakes, and no client's copy is there", async () => {
    const old = await startRawUpstream(answering);
    const fresh = await startRawUpstream(answering);
    const proxy = await startProxy({
      engine,
      old: { url: old.url.origin },
      fresh: { url: fresh.url.origin, host: "new.internal:8443" },
      cutover: { shopper: ["cookie:account"], handover: { secret } },
    });
    cleanups.push(
      () => old.close(),
      () => fresh.close(),
      () => proxy.close(),
    );
    const send = async (line: string, ...fields: string[]) => {
      const client = await rawClient(proxy.port);
      cleanups.push(() => void client.socket.destroy());
      client.send(`${[line, "Host: shop.example", "X-Cutover-Handover: x", ...fields].join("\r\n")}\r\n\r\n`);
      await client.saw(line.includes("live") ? "\r\n\r\n" : "ok");
      return /^set-cookie: (cutover_side=[^;]*)/im.exec(client.text())?.[1] ?? "";
    };
    const side = await send("GET /cart/1?a=b HTTP/1.1", "Cookie: account=ann");
    expect(believed(old, proxy.time.ms)).toEqual({ tokens: 0, valid: false, fault: "missing" });

    proxy.set({ percentThousandths: 100_000 });
    const cookie = `Cookie: account=ann; ${side}`;
    const handover = { valid: true, handover: { before: "legacy", shopper: "ann", cutover: "checkout" } };
    const next = await send("GET /cart/1?a=b HTTP/1.1", cookie);
    expect(believed(fresh, proxy.time.ms)).toMatchObject({ tokens: 1, ...handover });
    expect(believed(fresh, proxy.time.ms + 61_000)).toMatchObject({ fault: "expired" });
    await send("POST /cart/1;v=1?a HTTP/1.1", cookie, "Content-Length: 0");
    expect(believed(fresh, proxy.time.ms)).toMatchObject({ tokens: 1, ...handover });
    await send("GET /cart/live HTTP/1.1", cookie, "Connection: Upgrade", "Upgrade: websocket");
    expect(believed(fresh, proxy.time.ms)).toMatchObject({ tokens: 1, ...handover });

    await send("GET /cart/1 HTTP/1.1", `Cookie: account=ann; ${next}`);
    expect(believed(fresh, proxy.time.ms)).toEqual({ tokens: 0, valid: false, fault: "missing" });
    expect(JSON.stringify([old.requests(), fresh.requests()])).not.toContain("cutover_side");
  });
});
