// How the bare subjects relay a request of HTTP/1.1 by undici's dispatch, with nothing decided, counted, logged or checked.

export const ofTheConnection = new Set(["connection", "keep-alive", "transfer-encoding"]);

function endToEnd(raw) {
  const fields = [];
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i].toString("latin1");
    if (!ofTheConnection.has(name.toLowerCase())) fields.push(name, raw[i + 1].toString("latin1"));
  }
  return fields;
}

/** @returns a listener of node:http and node:https */
export function relayBy(pool) {
  return (request, response) => {
    const { method, url, rawHeaders } = request;
    pool.dispatch(
      { method, path: url, headers: endToEnd(rawHeaders), body: method === "GET" ? null : request },
      {
        onConnect() {},
        onHeaders(status, raw, resume, reason) {
          response.writeHead(status, reason, endToEnd(raw));
          response.on("drain", resume);
          return true;
        },
        onData: (chunk) => response.write(chunk),
        onComplete: () => response.end(),
        onError: () => response.destroy(),
      },
    );
  };
}
