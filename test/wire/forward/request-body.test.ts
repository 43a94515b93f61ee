/** A request body that does not come whole. */
import { PassThrough } from "node:stream";
import { expect } from "vitest";
import { turn, until } from "../../support/until.ts";
import { closesSoon, duties, exchange, ok, send, sized } from "./engines.ts";

duties("a request body that breaks off", (duty) => {
  const brokenBodies: Record<string, (content: PassThrough) => void> = {
    "with an error": (content) => content.destroy(new Error("gone")),
    "without one": (content) => content.destroy(),
    "longer than declared": (content) => content.end("much more than was declared"),
    "shorter than declared": (content) => content.end(),
  };
  for (const [how, breakOff] of Object.entries(brokenBodies)) {
    duty(`${how} is never a whole request to the upstream (RFC 9112 §8)`, async (lab) => {
      const { raw, upstream } = await lab.upstream(() => {});
      const content = new PassThrough();
      const { sink } = send(upstream, { method: "POST", body: sized(content, 9) });
      content.write("half");
      await until("half the body", () => raw.connections[0]?.received().includes("half") === true);
      breakOff(content);
      await sink.over;
      expect(sink.failures()).toEqual([{ outcome: "reset", sent: true, code: "ERR_REQUEST_BODY" }]);
      await closesSoon(raw);
      expect(raw.requests()).toEqual([]);
      expect(sink.faults).toEqual([]);
    });
  }

  duty("before it is read, or while it waits, is told and never sent", async (lab) => {
    const { raw, upstream } = await lab.upstream(() => {}, { connections: 1 });
    const holding = send(upstream);
    await until("the first request", () => raw.requests().length === 1);
    const contents = [new PassThrough(), new PassThrough(), new PassThrough()];
    contents[0]?.destroy();
    const waiting = contents.map((content) =>
      send(upstream, { method: "POST", body: { kind: "chunked", content } }),
    );
    contents[1]?.destroy();
    contents[2]?.destroy(new Error("gone"));
    await Promise.all(waiting.map(({ sink }) => sink.over));
    for (const { sink } of waiting) {
      expect(sink.failures()).toEqual([{ outcome: "reset", sent: false, code: "ERR_REQUEST_BODY" }]);
    }
    raw.connections[0]?.write(ok());
    await holding.sink.over;
    expect(raw.requests()).toHaveLength(1);
  });

  duty("after the head of the response fails the response", async (lab) => {
    const { raw, upstream } = await lab.upstream((connection) => {
      connection.socket.once("data", () =>
        connection.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"),
      );
    });
    const content = new PassThrough();
    content.write("half");
    const { sink } = send(upstream, { method: "POST", body: { kind: "chunked", content } });
    await until("the head", () => sink.octets() === 4);
    content.destroy();
    await sink.over;
    expect(sink.failures()).toMatchObject([{ outcome: "reset", code: "ERR_REQUEST_BODY" }]);
    await closesSoon(raw);
  });

  duty("an error after it was released is nobody's", async (lab) => {
    const { upstream } = await lab.upstream((connection) => {
      connection.socket.once("data", () => connection.write(ok()));
    });
    const content = new PassThrough();
    content.write("x");
    await exchange(upstream, { method: "POST", body: { kind: "chunked", content } });
    content.destroy(new Error("late"));
    await turn();
    expect(content.errored?.message).toBe("late");
  });
});
