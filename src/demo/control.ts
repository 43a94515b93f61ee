/**
 * A sample shop's control endpoint, on a port of its own so that no request through the proxy reaches it:
 *
 *   POST   /faults   {slowMs?, failRate?, hang?}: from now on these and no others
 *   DELETE /faults   well again
 *   GET    /faults
 *   GET    /orders   what the shop has counted
 *   GET    /health
 */
import type { IncomingMessage, RequestListener } from "node:http";
import { type FaultSwitch, faultsSchema } from "./faults.ts";
import { type Answer, parseJson, pathOf, readBody, send } from "./shops/http.ts";

export function controlListener(faults: FaultSwitch, summary: () => object): RequestListener {
  function serve(request: IncomingMessage, body: Buffer): Answer {
    switch (`${request.method} ${pathOf(request)}`) {
      case "POST /faults": {
        const wanted = parseJson(body, faultsSchema);
        if (wanted === undefined) return { status: 400, body: { expected: "{slowMs?, failRate?, hang?}" } };
        faults.set(wanted);
        return { status: 200, body: faults.current() };
      }
      case "DELETE /faults":
        faults.clear();
        return { status: 200, body: faults.current() };
      case "GET /faults":
        return { status: 200, body: faults.current() };
      case "GET /orders":
        return { status: 200, body: summary() };
      case "GET /health":
        return { status: 200, body: { status: "ok" } };
      default:
        return { status: 404, body: { code: "not_found" } };
    }
  }

  return (request, response) => {
    readBody(request).then(
      (body) => send(response, body === undefined ? { status: 413 } : serve(request, body)),
      () => undefined,
    );
  };
}
