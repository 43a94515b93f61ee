/** docker-compose.yml, read as compose reads it: anchors and merge keys resolved, variables left alone. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { checkout } from "./cutover.ts";

const service = z.object({
  image: z.string(),
  build: z.string().optional(),
  command: z.array(z.string()).optional(),
  environment: z.record(z.string(), z.string()).default({}),
  ports: z.array(z.string()).default([]),
  volumes: z.array(z.string()).default([]),
  networks: z
    .union([
      z.array(z.string()),
      z.record(z.string(), z.object({ aliases: z.array(z.string()).default([]) })),
    ])
    .transform((joined) =>
      Array.isArray(joined)
        ? joined.map((name) => ({ name, aliases: [] }))
        : Object.entries(joined).map(([name, { aliases }]) => ({ name, aliases })),
    ),
  healthcheck: z.record(z.string(), z.unknown()).optional(),
  depends_on: z
    .union([z.array(z.string()), z.record(z.string(), z.object({ condition: z.string() }))])
    .default([]),
});
const file = z.object({
  services: z.record(z.string(), service),
  networks: z.record(z.string(), z.object({ internal: z.boolean().default(false) }).nullable()),
  volumes: z.record(z.string(), z.unknown()),
});

export type ComposeService = z.output<typeof service>;

export function readCompose(): z.output<typeof file> {
  return file.parse(parse(readFileSync(join(checkout, "docker-compose.yml"), "utf8"), { merge: true }));
}
