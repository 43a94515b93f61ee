import { expect, test } from "vitest";
import { createUpgradeUpstream } from "../../../../src/proxy/upstream/websocket.ts";
import { startRawUpstream } from "../../../support/raw-upstream.ts";
import { recordingSink } from "../../../support/recording-sink.ts";
import { until } from "../../../support/until.ts";

const granted = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

test("a changed connection that its sink cannot take is closed", async () => {
  const raw = await startRawUpstream((connection) => connection.onRequest(() => connection.write(granted)));
  const upstream = createUpgradeUpstream({
    name: "shop",
    url: raw.url,
    timeouts: { connectMs: 2000, handshakeMs: 2000, idleMs: 2000 },
    limits: { idleMs: 2000, lifetimeMs: 2000 },
  });
  const sink = recordingSink();
  upstream.forward(
    { method: "GET", target: "/", fields: ["Host", "h"], body: { kind: "none" }, upgrade: "websocket" },
    sink,
  );
  await until("the end of the connection", () => raw.connections[0]?.closedBy() === "fin");
  expect(sink.calls).toEqual([]);
  await upstream.close();
  await raw.close();
});
