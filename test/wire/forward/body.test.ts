/** Bodies: octet for octet, and no faster than the slower side takes them. */
import { PassThrough, Readable } from "node:stream";
import fc from "fast-check";
import { expect } from "vitest";
import { recordingSink } from "../../support/recording-sink.ts";
import { turn, until } from "../../support/until.ts";
import { duties, exchange, ok, send, sized } from "./engines.ts";

const seed = Number(process.env.FC_SEED ?? Date.now() % 0x7fffffff);
const mebibyte = 1 << 20;

/** Waits until a count has stood still for a while. */
async function standsStill(count: () => number): Promise<number> {
  for (let still = 0, last = count(); ; ) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    if (count() === last) still++;
    else still = 0;
    last = count();
    if (still === 15) return last;
  }
}

const pieces = fc.array(fc.uint8Array({ minLength: 1, maxLength: 40_000 }), { maxLength: 6 });

duties("a body", (duty) => {
  duty("passes up and down octet for octet, however it is split (RFC 9112 §7.1)", async (lab) => {
    let down: { bytes: readonly Uint8Array[]; chunked: boolean } = { bytes: [], chunked: false };
    const { raw, upstream } = await lab.upstream((connection) => {
      connection.onRequest(async () => {
        const { bytes, chunked } = down;
        const length = bytes.reduce((sum, { length }) => sum + length, 0);
        connection.write(
          `HTTP/1.1 200 OK\r\n${chunked ? "Transfer-Encoding: chunked" : `Content-Length: ${length}`}\r\n\r\n`,
        );
        for (const piece of bytes) {
          if (chunked) connection.write(`${piece.length.toString(16)};x=y\r\n`);
          connection.write(Buffer.from(piece));
          if (chunked) connection.write("\r\n");
          if (piece.length % 3 === 0) await turn();
        }
        if (chunked) connection.write("0\r\n\r\n");
      });
    });
    const method = fc.constantFrom("GET", "POST", "PUT", "DELETE", "OPTIONS", "PURGE");
    const kind = fc.constantFrom("held", "sized", "chunked");
    await fc.assert(
      fc.asyncProperty(
        method,
        kind,
        pieces,
        pieces,
        fc.boolean(),
        async (method, kind, up, downPieces, chunked) => {
          down = { bytes: downPieces, chunked };
          const sent = Buffer.concat(up);
          const content = Readable.from(up.map((piece) => Buffer.from(piece)));
          const before = raw.requests().length;
          const sink = await exchange(upstream, {
            method,
            body:
              kind === "held"
                ? sized(sent)
                : kind === "sized"
                  ? sized(content, sent.length)
                  : { kind: "chunked", content },
          });
          expect(raw.requests()).toHaveLength(before + 1);
          expect(raw.requests().at(-1)?.body.equals(sent)).toBe(true);
          expect(sink.body().equals(Buffer.concat(downPieces))).toBe(true);
        },
      ),
      { seed, numRuns: 60, verbose: 1 },
    );
  });

  duty("stops the upstream while the client takes nothing, and goes on when it does", async (lab) => {
    const total = 48 * mebibyte;
    const piece = Buffer.alloc(mebibyte, "x");
    let written = 0;
    const { upstream } = await lab.upstream((connection) => {
      connection.onRequest(() => {
        connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${total}\r\n\r\n`);
        const fill = () => {
          while (written < total) {
            written += piece.length;
            if (!connection.socket.write(piece)) break;
          }
        };
        connection.socket.on("drain", fill);
        fill();
      });
    });
    let wantsMore = false;
    let octets = 0;
    const sink = recordingSink();
    const counting: typeof sink = {
      ...sink,
      data(chunk) {
        octets += chunk.length;
        return wantsMore;
      },
    };
    const { resume } = send(upstream, {}, counting);
    await until("the first data", () => octets > 0);
    await standsStill(() => written);
    expect(octets).toBeLessThanOrEqual(mebibyte / 4);
    expect(written).toBeLessThan(24 * mebibyte);
    const before = octets;
    resume();
    await until("the next data", () => octets > before);
    expect(octets).toBeLessThanOrEqual(before + mebibyte / 4);
    wantsMore = true;
    resume();
    await sink.over;
    expect(sink.failures()).toEqual([]);
    expect(octets).toBe(total);
  });

  for (const kind of ["sized", "chunked"] as const) {
    duty(
      `stops the client while the upstream takes nothing, and goes on when it does: ${kind}`,
      async (lab) => {
        const total = 48 * mebibyte;
        let read = 0;
        const { raw, upstream } = await lab.upstream((connection) => {
          connection.socket.pause();
          // Its body is of no interest here, and too long to be recorded.
          connection.socket.removeAllListeners("data");
          connection.socket.on("data", (chunk) => {
            read += chunk.length;
            if (read >= total && !connection.socket.writableEnded && chunk.includes("Z"))
              connection.write(ok());
          });
          connection.socket.pause();
        });
        const piece = Buffer.alloc(64 * 1024, "x");
        const last = Buffer.alloc(64 * 1024, "Z");
        let given = 0;
        const content = new Readable({
          read() {
            given += piece.length;
            this.push(given < total ? piece : last);
            if (given >= total) this.push(null);
          },
        });
        const { sink } = send(upstream, {
          method: "POST",
          body: kind === "sized" ? sized(content, total) : { kind, content },
        });
        await until("the connection", () => raw.connections.length === 1);
        const stood = await standsStill(() => given);
        expect(stood).toBeGreaterThan(0);
        expect(stood).toBeLessThan(24 * mebibyte);
        raw.connections[0]?.socket.resume();
        await sink.over;
        expect(sink.failures()).toEqual([]);
        expect(given).toBe(total);
      },
    );
  }

  duty("relays each chunk as it comes, up and down", async (lab) => {
    const { raw, upstream } = await lab.upstream((connection) => {
      let seen = 0;
      connection.socket.on("data", () => {
        const received = connection.received().toString("latin1");
        for (; received.includes(`up-${seen}`); seen++) {
          if (seen === 0) connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
          connection.write(`6\r\ndown-${seen}\r\n`);
        }
      });
      connection.onRequest(() => connection.write("0\r\n\r\n"));
    });
    const content = new PassThrough();
    const { sink } = send(upstream, { method: "POST", body: { kind: "chunked", content } });
    for (let i = 0; i < 5; i++) {
      content.write(`up-${i}`);
      await until(`answer ${i}`, () => sink.body().includes(`down-${i}`));
    }
    content.end();
    await sink.over;
    expect(sink.failures()).toEqual([]);
    expect(raw.requests()[0]?.body.toString()).toBe("up-0up-1up-2up-3up-4");
  });

  const manyExchanges = process.env.CUTOVER_BARS === "full" ? 10_000 : 2000;
  duty(
    `${manyExchanges} exchanges on one connection leave no listeners and no timers behind`,
    async (lab) => {
      const { raw, upstream } = await lab.upstream(
        (connection) => {
          connection.socket.removeAllListeners("data");
          connection.socket.on("data", () => connection.write(ok()));
        },
        { connections: 1 },
      );
      const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
      const warnings: Error[] = [];
      const onWarning = (warning: Error) => warnings.push(warning);
      process.on("warning", onWarning);
      await exchange(upstream);
      const before = timers();
      for (let i = 0; i < manyExchanges; i++) await exchange(upstream);
      await turn();
      process.off("warning", onWarning);
      expect(warnings).toEqual([]);
      expect(raw.connections).toHaveLength(1);
      expect(timers()).toBeLessThanOrEqual(before + 3);
    },
  );
});
