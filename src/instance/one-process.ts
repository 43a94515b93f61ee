/** The instance is one process: it serves requests itself. */

import type { Log } from "../base/log.ts";
import type { ListenerConfig } from "../config/schema.ts";
import { createProxyServer, type ListenAt } from "../proxy/listen/server.ts";
import type { DataPlane } from "./data-plane.ts";
import type { Front } from "./serving.ts";

export interface LocalFrontOptions {
  readonly plane: DataPlane;
  readonly at: ListenAt;
  readonly tls: ListenerConfig["tls"];
  readonly proxyName: string;
  readonly log: Log;
  readonly onFault: (error: unknown) => void;
}

export function createLocalFront({ plane, at, tls, proxyName, log, onFault }: LocalFrontOptions): Front {
  const server = createProxyServer({
    exchange: plane.handle,
    proxyName,
    onRefused: plane.refused,
    maxConnections: plane.maxConnections,
    connections: plane.connections,
    tls,
    onFault,
  });
  return {
    listen: () => server.listen(at),
    table: plane.table,
    explaining: plane.explaining,
    async prepare({ config }, counting) {
      server.refresh();
      return plane.prepare(config, counting);
    },
    inForce: async () => {},
    serves: () => true,
    collect: async () => {},
    secretsChanged: () => {},
    async restart() {
      log.warn({}, "there are no workers to restart: with workers 1 the instance is one process");
    },
    drain: ({ idle, grace }) => server.close(grace, idle),
    close: plane.close,
  };
}
