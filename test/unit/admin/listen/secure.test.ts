/** The admin listener over TLS, by real connections. */

import { once } from "node:events";
import { copyFileSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { request } from "node:https";
import { connect } from "node:net";
import { join } from "node:path";
import { TLSSocket } from "node:tls";
import { afterAll, afterEach, expect, test } from "vitest";
import { z } from "zod";
import { secure, underOf } from "../../../../src/admin/listen/secure.ts";
import { createAuthority, type IssuedPair } from "../../../support/certificates.ts";

const authority = createAuthority();
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});
afterAll(() => authority.remove());

async function listen(files: Parameters<typeof secure>[1]) {
  const faults: unknown[] = [];
  const server = createServer((asked, response) => response.end(`${underOf(asked.socket) !== asked.socket}`));
  servers.push(server);
  const { refresh } = secure(server, files, (error) => faults.push(error));
  await once(server.listen(0, "127.0.0.1"), "listening");
  return { port: z.object({ port: z.int() }).parse(server.address()).port, refresh, faults };
}

/** @returns the answer's body and the name of the certificate that was shown; the code of what went wrong */
function ask(port: number, own?: { readonly cert: Buffer; readonly key: Buffer }): Promise<string> {
  return new Promise((resolve) => {
    const asking = request(
      { port, host: "localhost", ca: authority.caPem, agent: false, ...own },
      (answer) => {
        const { socket } = answer;
        const shown = socket instanceof TLSSocket ? socket.getPeerCertificate().subject.CN : "nobody";
        answer.setEncoding("utf8").once("data", (text: string) => resolve(`${text} by ${shown}`));
      },
    );
    asking.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? "error")).end();
  });
}

const pems = ({ cert, key }: IssuedPair) => ({ cert: readFileSync(cert), key: readFileSync(key) });

test("answers HTTP/1.1 over TLS, and nobody without it", async () => {
  const { port } = await listen(authority.issue("plain"));
  expect(await ask(port)).toBe("true by plain");
  const bare = connect(port, "127.0.0.1");
  bare.on("error", () => undefined).write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  bare.resume();
  await once(bare, "close");
});

test("with an authority of clients lets through who has a certificate of it", async () => {
  const other = createAuthority();
  const { port } = await listen({ ...authority.issue("asking"), ca: authority.ca });
  expect(await ask(port, pems(authority.issue("client")))).toBe("true by asking");
  expect(await ask(port)).not.toContain("asking");
  expect(await ask(port, pems(other.issue("stranger")))).not.toContain("asking");
  other.remove();
});

test("shows a certificate that was put in place of the one before, once its key is there too", async () => {
  const files = { cert: join(authority.folder, "now.crt"), key: join(authority.folder, "now.key") };
  const put = (name: keyof typeof files, from: IssuedPair) => copyFileSync(from[name], files[name]);
  const [first, second] = [authority.issue("first"), authority.issue("second")];
  put("cert", first);
  put("key", first);
  const { port, refresh, faults } = await listen(files);
  put("cert", second);
  refresh();
  expect(await ask(port)).toBe("true by first");
  expect(faults).toHaveLength(1);
  put("key", second);
  refresh();
  expect(await ask(port)).toBe("true by second");
});
