/** An nginx with something of every size, and of every trouble an upstream makes. */
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { freePort } from "../../support/free-port.ts";
import { type Running, startOnCore } from "../processes.ts";
import { untilAnswering } from "../until-answering.ts";
import { nginxConf } from "../upstreams.ts";

const bytes: Readonly<Record<string, number>> = {
  small: 200,
  medium: 10_000,
  large: 150_000,
  huge: 5_000_000,
};

export interface SoakUpstream extends Running {
  readonly port: number;
}

export async function startSoakUpstream(folder: string, core: number): Promise<SoakUpstream> {
  const port = await freePort();
  const files = join(folder, "files");
  for (const place of ["cart", "elsewhere"]) {
    await mkdir(join(files, place), { recursive: true });
    for (const [name, size] of Object.entries(bytes))
      await writeFile(join(files, place, name), "x".repeat(size));
  }
  // As root, nginx reads them as nobody.
  await chmod(folder, 0o755);
  const config = join(folder, "soak-upstream.conf");
  await writeFile(
    config,
    nginxConf(
      "soak-upstream",
      `
      access_log off; sendfile on; client_max_body_size 1m;
      server {
        listen 127.0.0.1:${port} backlog=1024; root ${files};
        location = /cart/upload { return 200 'taken'; }
        location = /cart/error { return 500 'broken'; }
        location = /cart/missing { return 404 'nothing'; }
        location = /cart/gone { return 444; }
        location = /cart/huge { limit_rate 1m; }
      }`,
    ),
  );
  const running = startOnCore(core, ["nginx", "-p", folder, "-c", config], folder);
  await untilAnswering(`http://127.0.0.1:${port}/cart/small`);
  return { ...running, port };
}
