/** The admin listener: API, status page, metrics, health; put together here, listened on, and closed. */
import { createGate } from "./access/gate.ts";
import { isLoopbackHost } from "./access/tokens.ts";
import { type AdminApp, type AdminContext, type AdminOptions, contextOf } from "./context.ts";
import { createEventStreams } from "./events.ts";
import { createApp, watchMethods } from "./every-request.ts";
import { createFleet } from "./fleet.ts";
import { backlog, listenOnSocket, watchConnections } from "./listen/listener.ts";
import { registerOpenApi } from "./openapi.ts";
import { formRoutes } from "./page/forms.ts";
import { pageRoutes } from "./page/page.ts";
import { createProposals } from "./proposals.ts";
import { gradually } from "./returns/gradually.ts";
import { closeRoute } from "./routes/closing.ts";
import { everyCutoverRoutes } from "./routes/every-cutover.ts";
import { historyRoutes } from "./routes/history.ts";
import { listRoutes } from "./routes/lists.ts";
import { operationRoutes } from "./routes/operation.ts";
import { ownerRoutes } from "./routes/owners.ts";
import { doubtRoutes } from "./routes/past/doubt.ts";
import { freezeRoutes } from "./routes/plan/freeze.ts";
import { planRoutes } from "./routes/plan/plan.ts";
import { scheduleRoutes } from "./routes/plan/schedule.ts";
import { proposalRoutes } from "./routes/proposals.ts";
import { readRoutes } from "./routes/reads.ts";
import { sessionRoutes } from "./routes/session.ts";
import { signInRoutes } from "./routes/sign-in.ts";
import { writeRoutes } from "./routes/writes.ts";
import { openFleetSeries } from "./series/fleet-series.ts";
import { seriesRoutes } from "./series/routes.ts";
import { createViews } from "./view.ts";
import { createWriter } from "./writer.ts";

export interface AdminServer {
  /**
   * @param at port 0 picks a free one
   * @throws Error when nothing can listen there, or when it is no loopback host and nobody has to sign in
   */
  listen(at: {
    readonly host: string;
    readonly port: number;
    /** A listening socket that was handed to the process, in place of the port. */
    readonly fd?: number;
  }): Promise<{ url: string; port: number }>;
  /** Shows these cutovers and knows these tokens from now on. */
  reconfigure(to: Pick<AdminOptions, "cutovers" | "auth">): void;
  /** Ends event streams, lets requests under way finish for 3 s, then closes. */
  close(): Promise<void>;
}

const closeGraceMs = 3000;

export async function createAdminServer(options: AdminOptions): Promise<AdminServer> {
  const context = contextOf(options);
  const gate = createGate(context);
  const proposals = createProposals(context);
  const { raises } = context.plans;
  const fleet = createFleet(context, async () => void (await Promise.all([proposals.read(), raises.read()])));
  const views = createViews(context, fleet, proposals);
  const streams = createEventStreams(context, views, fleet);
  const { write, rollBack } = gradually(context, views, createWriter(context, views, fleet));
  const series = openFleetSeries(context, views, fleet);

  const { app, door } = await createApp(context, gate, views);
  const endConnections = watchConnections(app.server);
  await registerOpenApi(app, context.auth, context.version);
  const refuseOtherMethods = watchMethods(app);
  readRoutes(app, context, views, fleet);
  seriesRoutes(app, context, views, series);
  historyRoutes(app, context, views);
  writeRoutes(app, context, { write, rollBack }, views, proposals);
  closeRoute(app, context, write, views, proposals);
  const writeAll = everyCutoverRoutes(app, write, views);
  proposalRoutes(app, context, write, views, proposals);
  planRoutes(app, context, write, views, proposals);
  freezeRoutes(app, context, views, fleet);
  scheduleRoutes(app, context, views, proposals);
  ownerRoutes(app, context, views, proposals);
  doubtRoutes(app, context, views);
  listRoutes(app, context);
  sessionRoutes(app, context, gate, door);
  signInRoutes(app, gate, door);
  operationRoutes(app, context, streams, fleet);
  const page = { app, context, gate, views, fleet };
  const sendPage = pageRoutes(page);
  await formRoutes(page, write, writeAll, door, sendPage);
  refuseOtherMethods();

  return {
    listen: (at) => listen(app, context, at),

    reconfigure({ cutovers, auth }) {
      views.reconfigure(cutovers);
      proposals.reconfigure(cutovers);
      gate.reconfigure(auth);
    },

    async close() {
      streams.close();
      series.close();
      proposals.close();
      const stopEnding = endConnections(closeGraceMs);
      try {
        await app.close();
        // A server that fastify has not made listen itself it does not close.
        if (app.server.listening) await new Promise((resolve) => app.server.close(resolve));
      } finally {
        stopEnding();
      }
    },
  };
}

async function listen(
  app: AdminApp,
  { auth, tls }: AdminContext,
  { host, port, fd }: Parameters<AdminServer["listen"]>[0],
): Promise<{ url: string; port: number }> {
  if (auth === "none" && !isLoopbackHost(host)) {
    throw new Error("auth: none is only for a loopback host: configure tokens, or listen on 127.0.0.1");
  }
  if (fd === undefined) await app.listen({ host, port, backlog });
  else {
    await app.ready();
    await listenOnSocket(app.server, fd);
  }
  const address = app.server.address();
  if (address === null || typeof address === "string") throw new Error("the admin listener has no port");
  const name = host.includes(":") ? `[${host}]` : host;
  return { url: `${tls === undefined ? "http" : "https"}://${name}:${address.port}`, port: address.port };
}
