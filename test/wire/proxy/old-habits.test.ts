/** What old servers write: what of it is borne, of whom, and that a client sees clean framing alone. */
import { expect } from "vitest";
import { answering, valuesOf } from "../../support/raw-upstream.ts";
import { until } from "../../support/until.ts";
import { type Duty, duties, get, ok } from "./lab.ts";

const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

function padded(duty: Duty): void {
  for (const [what, body] of [
    ["one space", "5 \r\nhello\r\n0 \r\n\r\n"],
    ["many", "5       \r\nhello\r\n0       \r\n\r\n"],
  ] as const) {
    duty(
      `chunk sizes padded with spaces (${what}) are borne and never go on (RFC 9112 §7.1)`,
      async (lab) => {
        const proxy = await lab.start(answering(chunked + body));
        const client = await proxy.client();
        for (let i = 0; i < 3; i++) {
          client.write(get());
          expect((await client.response()).body.toString()).toBe("hello");
        }
        expect(client.received().toString()).not.toMatch(/\d +\r\n/);
        expect(proxy.raw.connections).toHaveLength(1);
        await proxy.expectOutcomes({ ok: 3 });
      },
    );
  }
}

const habits: Readonly<Record<string, string>> = {
  "an equal Content-Length twice": "Content-Length: 5\r\nX-A: b\r\nContent-Length: 5\r\n",
  "a list of equal lengths": "X-A: b\r\nContent-Length: 5, 5\r\n",
  "Transfer-Encoding: identity": "Transfer-Encoding: identity\r\nX-A: b\r\nConnection: close\r\n",
  "a folded field": "X-A: b\r\n c\r\n\td\r\nContent-Length: 5\r\n",
};

function lenient(duty: Duty): void {
  for (const [what, fields] of Object.entries(habits)) {
    const answer = `HTTP/1.1 200 OK\r\n${fields}\r\nhello`;
    const closes = fields.includes("close");
    duty(`of a lenient upstream ${what} is put right, wherever it is split`, async (lab) => {
      let at = 0;
      const proxy = await lab.start(
        (connection) => {
          connection.onRequest(() => {
            const splitAt = at;
            at += 7;
            connection.write(answer.slice(0, splitAt));
            setImmediate(() => {
              connection.write(answer.slice(splitAt));
              if (closes) connection.socket.end();
            });
          });
        },
        { upstream: { lenient: true } },
      );
      const client = await proxy.client();
      while (at < answer.length) {
        client.write(get());
        // The strict client refuses all framing that is not clean.
        const received = await client.response();
        expect([received.status, received.body.toString()]).toEqual([200, "hello"]);
        expect(valuesOf(received.fields, "x-a")[0]).toMatch(/^b(?: c d)?$/);
        expect(valuesOf(received.fields, "content-length")).toEqual(closes ? [] : ["5"]);
      }
      if (!closes) expect(proxy.raw.connections).toHaveLength(1);
    });
  }

  const refused: Readonly<Record<string, string>> = {
    "two lengths that differ": "Content-Length: 5\r\nContent-Length: 6\r\n",
    "a list of lengths that differ": "Content-Length: 5, 6\r\n",
    "a length and a coding": "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    "a length and identity": "Content-Length: 5\r\nTransfer-Encoding: identity\r\n",
    "identity and chunked": "Transfer-Encoding: identity, chunked\r\n",
    "an equal length that is none": "Content-Length: +5\r\nContent-Length: +5\r\n",
    "a space before the colon": "Content-Length : 5\r\nContent-Length: 5\r\n",
    "a fold before the first field": " X-A: b\r\nContent-Length: 5\r\n",
  };
  const evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
  for (const [what, fields] of Object.entries(refused)) {
    duty(`of a lenient upstream ${what}, on a kept connection → 502, and nothing more of it`, async (lab) => {
      const proxy = await lab.start(
        (connection) => {
          connection.onRequest(({ line }) => {
            connection.write(
              line.startsWith("GET /bad ") ? `HTTP/1.1 200 OK\r\n${fields}\r\nhello${evil}` : ok("next"),
            );
          });
        },
        { upstream: { lenient: true } },
      );
      const client = await proxy.client();
      for (const [target, status] of [["/", 200] as const, ["/bad", 502] as const, ["/", 200] as const]) {
        client.write(get(target));
        const answer = await client.response();
        expect(answer.status).toBe(status);
        if (status === 200) expect(answer.body.toString()).toBe("next");
      }
      await until("the end of the connection", () => proxy.raw.connections[0]?.closedBy() !== "open", 1000);
    });
  }

  for (const rest of ["HTTP/1.1 2", evil.slice(0, 30), evil]) {
    duty(
      `of a lenient upstream ${JSON.stringify(rest)} behind an answer begins no other (RFC 9112 §6.3)`,
      async (lab) => {
        const proxy = await lab.start(
          (connection) => {
            connection.onRequest(({ line }) => {
              connection.write(line.startsWith("GET /long ") ? ok("right") + rest : ok("next"));
            });
          },
          { upstream: { lenient: true } },
        );
        const client = await proxy.client();
        client.write(get("/long"));
        expect((await client.response()).body.toString()).toBe("right");
        for (let i = 0; i < 3; i++) {
          client.write(get());
          expect((await client.response()).body.toString()).toBe("next");
        }
      },
    );
  }

  duty(
    "of a lenient upstream bare line feeds are refused at once, and heads without end (RFC 9112 §2.2)",
    async (lab) => {
      const proxy = await lab.start(
        (connection) => {
          connection.onRequest(({ line }) => {
            const isBare = line.startsWith("GET /bare ");
            connection.write(
              isBare
                ? "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello"
                : `HTTP/1.1 200 OK\r\nX-A: ${"a".repeat(100_000)}`,
            );
          });
        },
        { upstream: { lenient: true } },
      );
      expect((await proxy.answerTo(get("/bare"))).status).toBe(502);
      expect((await proxy.answerTo(get("/endless"))).status).toBe(502);
    },
  );

  for (const what of [
    "an equal Content-Length twice",
    "a list of equal lengths",
    "Transfer-Encoding: identity",
  ]) {
    duty(`of any other upstream ${what} → 502`, async (lab) => {
      const proxy = await lab.start(answering(`HTTP/1.1 200 OK\r\n${habits[what]}\r\nhello`));
      expect((await proxy.answerTo(get())).status).toBe(502);
    });
  }
}

duties("chunk sizes", padded);
duties("old habits", lenient);
