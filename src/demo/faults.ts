/**
 * What a sample shop can be told to suffer, and the endpoint where it is told. A request first hangs, then is slowed
 * down, then fails by chance: before the shop acts on it, so a failed request has changed nothing. Requests that are
 * waiting feel a change of the faults at once. The endpoint has a port of its own, so that no request through the proxy
 * reaches it:
 *
 *   POST   /faults   {slowMs?, failRate?, hang?}: from now on these and no others
 *   DELETE /faults   well again
 *   GET    /faults
 *   GET    /orders   what the shop has counted
 *   GET    /health
 */
import type { IncomingMessage, RequestListener } from "node:http";
import * as z from "zod";
import { parseJson, pathOf, readBody, type ShopAnswer, send } from "./shops/http.ts";

const faultsSchema = z.strictObject({
  /** Milliseconds before each answer. */
  slowMs: z.int().min(0).max(600_000).default(0),
  /** The share of requests answered with 500: 0–1. */
  failRate: z.number().min(0).max(1).default(0),
  /** No request is answered. */
  hang: z.boolean().default(false),
});
type Faults = z.output<typeof faultsSchema>;

export interface FaultSwitch {
  current(): Faults;
  set(faults: Faults): void;
  clear(): void;
  /** Delays a request as the faults say. `gone`: its client left meanwhile. */
  pass(client: AbortSignal): Promise<"serve" | "fail" | "gone">;
}

const none: Faults = { slowMs: 0, failRate: 0, hang: false };

/** @param random 0 ≤ x < 1 */
export function createFaultSwitch(random: () => number): FaultSwitch {
  const waiting = new Set<() => void>();
  let faults = none;

  function change(next: Faults): void {
    faults = next;
    for (const wake of [...waiting]) wake();
  }

  /** @returns whether the whole time has passed, rather than the faults changed or the client left */
  function wait(milliseconds: number | undefined, client: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const finish = (elapsed: boolean) => {
        clearTimeout(timer);
        waiting.delete(wake);
        client.removeEventListener("abort", wake);
        resolve(elapsed);
      };
      const wake = () => finish(false);
      const timer = milliseconds === undefined ? undefined : setTimeout(finish, milliseconds, true);
      waiting.add(wake);
      client.addEventListener("abort", wake);
    });
  }

  return {
    current: () => faults,
    set: change,
    clear: () => change(none),
    async pass(client) {
      while (!client.aborted) {
        const { hang, slowMs, failRate } = faults;
        if (hang) await wait(undefined, client);
        else if (slowMs === 0 || (await wait(slowMs, client))) return random() < failRate ? "fail" : "serve";
      }
      return "gone";
    },
  };
}

/** @param summary what the shop has counted */
export function controlListener(faults: FaultSwitch, summary: () => object): RequestListener {
  function serve(request: IncomingMessage, body: Buffer): ShopAnswer {
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
