// A bare relay: node:http, or over TLS node:https or node:http2's core API, and undici's dispatch. Nothing decided,
// counted, logged or checked. Usage: bare-relay.js PORT UPSTREAM_PORT [h2|https CERT KEY]
import { readFileSync } from "node:fs";
import { createServer as createPlainServer } from "node:http";
import { createSecureServer } from "node:http2";
import { createServer } from "node:https";
import { Pool } from "undici";
import { ofTheConnection, relayBy } from "./relay-http1.js";

const [port, upstreamPort, over, cert, key] = process.argv.slice(2);
const pool = new Pool(`http://127.0.0.1:${upstreamPort}`);
const secure = over === undefined ? {} : { cert: readFileSync(cert), key: readFileSync(key) };
const relayHttp1 = relayBy(pool);

function relayStream(stream, headers) {
  const fields = [];
  for (const name in headers) {
    if (name === ":authority") fields.push("host", headers[name]);
    else if (name[0] !== ":") fields.push(name, headers[name]);
  }
  pool.dispatch(
    {
      method: headers[":method"],
      path: headers[":path"],
      headers: fields,
      body: stream.endAfterHeaders ? null : stream,
    },
    {
      onConnect() {},
      onHeaders(status, raw, resume) {
        const answer = { ":status": status };
        for (let i = 0; i < raw.length; i += 2) {
          const name = raw[i].toString("latin1").toLowerCase();
          if (!ofTheConnection.has(name)) answer[name] = raw[i + 1].toString("latin1");
        }
        stream.respond(answer);
        stream.on("drain", resume);
        return true;
      },
      onData: (chunk) => stream.write(chunk),
      onComplete: () => stream.end(),
      onError: () => stream.destroy(),
    },
  );
  stream.on("error", () => {});
}

if (over === "h2") {
  const server = createSecureServer({ ...secure, allowHTTP1: true }, relayHttp1);
  // With a listener for requests node:http2 makes those of its compatibility API of each stream, beside the core API.
  server.removeAllListeners("stream").on("stream", relayStream).listen(Number(port), "127.0.0.1");
} else {
  const server = over === undefined ? createPlainServer(relayHttp1) : createServer(secure, relayHttp1);
  server.listen(Number(port), "127.0.0.1");
}

// A clean end, so that --profile writes what it saw.
process.once("SIGTERM", () => process.exit(0));
