/** Serves a scene: the page as the server's code makes it, and answers to what its script asks, of the same value. */
import { readFile } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { renderConsole } from "../../../src/console/port.tsx";
import type { ConsoleState } from "../../../src/console/state.ts";
import { paymentsOf, seriesOf } from "./scenes.ts";

export const root = fileURLToPath(new URL("../../..", import.meta.url));
/** What the API answers to a rollback that is applied everywhere. */
const rolledBack = {
  ...{ name: "checkout", percent: 0, state: "rolled_back", version: 43, changed: true },
  applied: { instances: 6, of: 6, ms: 312, scope: "fleet", complete: true, completeBy: null, lagging: [] },
};
const files = { "/console.js": "console.js", "/charts.js": "charts.js" } as const;

export async function serve(scene: ConsoleState) {
  const style = await readFile(`${root}/dist/console/console.css`, "utf8");
  let isSilent = false;
  const timers = new Set<NodeJS.Timeout>();
  const streams = new Set<ServerResponse>();
  const tellAll = (event: string, data: unknown) => {
    if (isSilent) return;
    for (const stream of streams) stream.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  };
  const json = (response: ServerResponse, body: unknown) =>
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body));
  const server = createServer(async ({ url = "/" }, response) => {
    const { pathname } = new URL(url, "http://scene");
    if (isSilent) return;
    if (pathname === "/console.js" || pathname === "/charts.js") {
      const text = await readFile(`${root}/dist/console/${files[pathname]}`, "utf8");
      response.writeHead(200, { "content-type": "text/javascript" }).end(text);
    } else if (pathname === "/api/v1/events") {
      response.writeHead(200, { "content-type": "text/event-stream" });
      const tick = { serverTime: scene.at, store: { up: true, stalenessSeconds: 0 } };
      streams.add(response);
      tellAll("tick", tick);
      timers.add(setInterval(() => tellAll("tick", tick), 500));
    } else if (pathname.endsWith("/series")) json(response, seriesOf(scene));
    else if (pathname.endsWith("/payments")) json(response, paymentsOf(scene));
    else if (pathname.endsWith("/history")) json(response, scene.told.checkout?.history ?? []);
    else if (pathname.endsWith("/plan")) json(response, scene.told.checkout?.plan);
    else if (pathname.endsWith("/rollback")) {
      const [view] = scene.cutovers;
      const { percent, state, version } = rolledBack;
      const traffic = { ...view?.traffic, begun: { ...view?.traffic.begun, newLately: 0 } };
      tellAll("change", { ...view, percent, state, version, traffic, updatedAt: scene.at, reason: "" });
      json(response, rolledBack);
    } else if (pathname === "/api/v1/instances") json(response, scene.instances);
    else if (pathname === "/") {
      response
        .writeHead(200, { "content-type": "text/html; charset=utf-8" })
        .end(renderConsole(scene, style));
    } else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address: string | AddressInfo | null = server.address();
  if (address === null || typeof address === "string") throw new Error("it listens nowhere");
  return {
    url: `http://127.0.0.1:${address.port}/`,
    stop: () => {
      isSilent = true;
    },
    close() {
      for (const timer of timers) clearInterval(timer);
      server.closeAllConnections();
      server.close();
    },
  };
}
