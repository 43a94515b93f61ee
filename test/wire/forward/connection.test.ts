/** Connections: kept, not kept, and closed. */
import { expect } from "vitest";
import { answering } from "../../support/raw-upstream.ts";
import { until } from "../../support/until.ts";
import { closesSoon, duties, exchange, ok, send } from "./engines.ts";

duties("a connection", (duty) => {
  duty("uses a connection again (RFC 9112 §9.3)", async (lab) => {
    const { raw, upstream } = await lab.upstream(answering(ok()), { connections: 1 });
    for (let i = 0; i < 20; i++) await exchange(upstream, { method: i % 2 ? "POST" : "GET" });
    expect(raw.connections).toHaveLength(1);
  });

  duty(
    "does not use a connection again after HEAD: content that comes late would answer another (RFC 9112 §6.3)",
    async (lab) => {
      const { raw, upstream } = await lab.upstream(
        (connection) => {
          connection.onRequest(({ line }) => {
            if (line.startsWith("HEAD ")) connection.write("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n");
            // What was wrong with the answer before comes only now.
            else {
              const isBehindHead = connection.requests.at(-2)?.line.startsWith("HEAD ") === true;
              connection.write(isBehindHead ? ok("evil") : ok("right"));
            }
          });
        },
        { connections: 1 },
      );
      for (let i = 0; i < 3; i++) {
        await exchange(upstream, { method: "HEAD" });
        expect((await exchange(upstream)).body().toString()).toBe("right");
        await closesSoon(raw, i);
      }
    },
  );

  duty("does not use a connection again that the upstream closes (RFC 9112 §9.6)", async (lab) => {
    const { raw, upstream } = await lab.upstream(
      answering("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"),
      { connections: 1 },
    );
    for (let i = 0; i < 3; i++) await exchange(upstream);
    expect(raw.connections).toHaveLength(3);
  });

  duty("a kept connection the upstream has closed meanwhile is not used", async (lab) => {
    const { raw, upstream } = await lab.upstream(answering(ok()));
    await exchange(upstream);
    raw.connections[0]?.socket.end();
    await until("the end of the connection", () => raw.connections[0]?.closedBy() !== "open");
    await exchange(upstream);
    expect(raw.connections).toHaveLength(2);
  });

  duty("close waits for the busy, closes the idle, takes no more", async (lab) => {
    const { raw, upstream } = await lab.upstream(() => {});
    const idle = send(upstream);
    await until("the first", () => raw.requests().length === 1);
    const busy = send(upstream);
    await until("the second", () => raw.requests().length === 2);
    raw.connections[0]?.write(ok());
    await idle.sink.over;
    let closed = false;
    const closing = upstream.close().then(() => {
      closed = true;
    });
    await closesSoon(raw, 0);
    expect(closed).toBe(false);
    raw.connections[1]?.write(ok("last"));
    await closing;
    expect(busy.sink.body().toString()).toBe("last");
    await closesSoon(raw, 1);
    await upstream.close();
  });
});
