/**
 * The other engine: http-proxy 1.18.1 with a keep-alive Agent an upstream.
 *
 * http-proxy makes the ClientRequest and hands it over through its `buffer` option before a byte of it is written;
 * from there on client-request.ts owns both directions, because what the library does by itself loses aborts, hangs on
 * broken bodies, rewrites paths, forwards a chunked GET unframed, and can end the process (see
 * docs/decisions). So: `selfHandleResponse`, path, method, fields and framing set verbatim, own timers, own abort.
 * It is shown a request without fields and a response that nothing is written to.
 *
 * Known deviations, each shown by a test: repeated fields are sent next to each other under the first one's name, and
 * the head of a streamed request leaves with the first byte of its body where a field is not ASCII.
 */
import { Agent, ClientRequest, IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { type Duplex, Stream } from "node:stream";
import type httpProxy from "http-proxy";
import { createDial } from "../dial/dial.ts";
import type { CreateUpstream } from "../port.ts";
import { createSender } from "./sender.ts";

/** Below the 5 s after which Node and Apache close an idle connection. */
const keepAliveMs = 4000;

/** @throws Error when the library is not where the program was started from any more */
export const loadHttpProxy = () => import("http-proxy");

export const createHttpProxyUpstream: CreateUpstream = ({
  name,
  url,
  connections,
  timeouts,
  tls,
  lookup,
  lenient,
  maxAgeMs,
}) => {
  let proxy: httpProxy | undefined;
  // What forwards by another engine does not load it; who comes before it is there waits for it.
  const loading = loadHttpProxy().then(({ default: library }) => {
    proxy = library.createProxyServer({});
    return proxy;
  });
  loading.catch(() => undefined);
  const agent = new Agent({
    keepAlive: true,
    timeout: keepAliveMs,
    maxFreeSockets: Number.POSITIVE_INFINITY,
  });
  /** For requests that a kept connection will not do for; it keeps none. */
  const freshAgent = new Agent();
  const sender = createSender(timeouts, createDial(url, tls, { lookup }), { most: connections, lenient });
  const madeAt = new WeakMap<Duplex, number>();
  // Before the agent hears of it: what is not writable any more it lets go.
  agent.prependListener("free", (socket: Duplex) => {
    const age = performance.now() - (madeAt.get(socket) ?? 0);
    if (maxAgeMs !== undefined && age > maxAgeMs) socket.destroy();
  });
  // TLS is the connection's affair: to http-proxy and its ClientRequest every upstream is plain.
  agent.createConnection = (options, connected) =>
    sender.connect(options, (error, socket) => {
      madeAt.set(socket, performance.now());
      connected?.(error, socket);
    });
  freshAgent.createConnection = agent.createConnection;
  const target = {
    protocol: "http:",
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? 80 : Number(url.port),
  };
  const shown = stage();

  return {
    name,
    forward(request, sink) {
      return sender.send(request, sink, (take, fail, again) => {
        if (proxy === undefined) {
          loading.then(again).catch(fail);
          return;
        }
        const options = {
          target,
          agent: request.fresh ? freshAgent : agent,
          selfHandleResponse: true,
          ignorePath: true,
          // Leaves the path unparsed: Node deprecates what it would be parsed by.
          toProxy: true,
          buffer: takingOver(take),
        };
        // The callback takes errors that client-request.ts hears of by itself: http-proxy throws those nobody asked for.
        proxy.web(shown.request(request.method), shown.response, options, () => {});
      });
    },
    async close() {
      const over = sender.close();
      for (const sockets of Object.values(agent.freeSockets))
        for (const socket of sockets ?? []) socket.destroy();
      await over;
      agent.destroy();
      freshAgent.destroy();
    },
  };
};

/** The request and response http-proxy wants to see: it copies fields of the one and asks the other if it is done. */
function stage() {
  const socket = new Socket();
  return {
    request(method: string): IncomingMessage {
      const request = new IncomingMessage(socket);
      request.method = method;
      request.url = "/";
      request.headers = {};
      return request;
    },
    response: new ServerResponse(new IncomingMessage(socket)),
  };
}

/** Stands where http-proxy looks for the request's body to pipe, and takes the ClientRequest instead. */
function takingOver(take: (proxyRequest: ClientRequest) => void): Stream {
  const stream = new Stream();
  stream.pipe = (destination) => {
    if (destination instanceof ClientRequest) take(destination);
    return destination;
  };
  return stream;
}
