/** No container engine is needed: what the files say is held against each other and against the programs. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { loadConfig } from "../../../src/config/load/load.ts";
import { type ComposeService, readCompose } from "../../support/compose-file.ts";
import { checkout } from "../../support/cutover.ts";
import { configFile, readDatasources } from "../../support/monitoring-files.ts";

const { services, networks, volumes } = readCompose();
const entries = Object.entries(services);
const sha256 = "0".repeat(64);
const hashes = {
  CUTOVER_OPERATOR_SHA256: sha256,
  CUTOVER_RESPONDER_SHA256: "1".repeat(64),
};

function serviceOf(name: string): ComposeService {
  const found = services[name];
  if (found === undefined) throw new Error(`no service ${name}`);
  return found;
}

async function proxyConfig(proxy = "proxy-1") {
  const { CUTOVER_ADMIN_HOST = "" } = serviceOf(proxy).environment;
  const loaded = await loadConfig(configFile("docker/cutover.yaml"), { ...hashes, CUTOVER_ADMIN_HOST });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  return loaded;
}

function namesOf({ networks: joined }: ComposeService): string[] {
  return joined.map(({ name }) => name);
}

function shared(one: string, other: string): string[] {
  return namesOf(serviceOf(one)).filter((network) => namesOf(serviceOf(other)).includes(network));
}

/** Whether two services share a network. */
function reach(from: string, to: string): boolean {
  return shared(from, to).length > 0;
}

test("runs Redis, two proxies, both shops, Prometheus and Grafana", () => {
  expect(Object.keys(services)).toEqual(
    expect.arrayContaining([
      "redis",
      "proxy-1",
      "proxy-2",
      "social-shop",
      "marketplace",
      "prometheus",
      "grafana",
    ]),
  );
});

test("every network, volume, file and service that is named exists", () => {
  for (const [name, { networks: joined, volumes: mounts, depends_on }] of entries) {
    for (const network of joined) expect(Object.keys(networks), name).toContain(network.name);
    const needed = Array.isArray(depends_on) ? depends_on : Object.keys(depends_on);
    for (const other of needed) expect(Object.keys(services), name).toContain(other);
    for (const mount of mounts) {
      const [source = ""] = mount.split(":");
      if (source.startsWith(".")) {
        expect(existsSync(join(checkout, source)), `${name}: ${mount}`).toBe(true);
        expect(mount, name).toMatch(/:ro$/);
      } else {
        expect(Object.keys(volumes), name).toContain(source);
      }
    }
  }
});

test("whoever waits for a service to be healthy waits for one that says so", () => {
  for (const [name, { depends_on }] of entries) {
    if (Array.isArray(depends_on)) continue;
    for (const [other, { condition }] of Object.entries(depends_on)) {
      expect(condition, name).toBe("service_healthy");
      const checked =
        serviceOf(other).healthcheck !== undefined || serviceOf(other).image === "cutover:local";
      expect(checked, `${name} waits for ${other}`).toBe(true);
    }
  }
});

test("every image is pinned to a version", () => {
  const images = entries.map(([, { image }]) => image).filter((image) => image !== "cutover:local");
  for (const image of images) expect(image).toMatch(/:v?\d+\.\d+\.\d+(-[a-z]+)?$/);
  for (const [, { image, build }] of entries) expect(build === ".").toBe(image === "cutover:local");
});

test("nothing is published beyond this machine, and no port twice", () => {
  const published = entries.flatMap(([, { ports }]) => ports);
  for (const port of published) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
  const hostPorts = published.map((port) => port.split(":")[1]);
  expect(new Set(hostPorts).size).toBe(hostPorts.length);
  expect(serviceOf("proxy-1").ports).toEqual(["127.0.0.1:8080:8080", "127.0.0.1:9900:9900"]);
  expect(serviceOf("proxy-2").ports).toEqual(["127.0.0.1:8081:8080", "127.0.0.1:9901:9900"]);
});

test("the proxies' configuration loads, warned of nothing but its default, with the ports and names of the services", async () => {
  const { config, warnings } = await proxyConfig();
  expect(warnings.map(({ path }) => path)).toEqual(["default"]);
  expect(config.listeners).toMatchObject({
    proxy: { host: "0.0.0.0", port: 8080 },
    admin: { host: "proxy-1-admin", port: 9900 },
  });
  expect(config.store).toBe("redis://redis:6379");
  for (const [name, { url }] of Object.entries(config.upstreams)) {
    const { HOST, PORT, NAME } = serviceOf(name).environment;
    expect(url).toBe(`http://${name}:${PORT}`);
    expect({ HOST, NAME }).toEqual({ HOST: "0.0.0.0", NAME: name });
    expect(reach("proxy-1", name) && reach("proxy-2", name), name).toBe(true);
  }
  for (const proxy of ["proxy-1", "proxy-2"]) {
    const { volumes: mounts } = serviceOf(proxy);
    expect(mounts).toContain("./config/docker/cutover.yaml:/etc/cutover/cutover.yaml:ro");
    const writable = mounts.filter((mount) => !mount.endsWith(":ro")).map((mount) => mount.split(":")[1]);
    expect(writable.some((folder) => config.snapshot?.startsWith(`${folder}/`))).toBe(true);
    expect(reach(proxy, "redis")).toBe(true);
  }
});

test("every shop in the set could reach the admin API: the admin listener is on a network that no shop is in", async () => {
  for (const proxy of ["proxy-1", "proxy-2"]) {
    const { host, port } = (await proxyConfig(proxy)).config.listeners.admin;
    const own = serviceOf(proxy).networks.filter(({ aliases }) => aliases.includes(host));
    expect(own.map(({ name }) => name)).toEqual(["watch"]);
    for (const other of ["social-shop", "marketplace", "shoppers-1", "shoppers-2"]) {
      expect(shared(proxy, other), other).toEqual(["front"]);
    }
    // What is published of it comes in where it listens, and the image's health check and its commands ask there.
    const open = serviceOf(proxy).networks.filter(({ name }) => networks[name]?.internal !== true);
    expect(open.map(({ name }) => name)).toEqual(["watch"]);
    expect(serviceOf(proxy).environment.CUTOVER_ADMIN_URL).toBe(`http://${host}:${port}`);
  }
  for (const [name, service] of entries) {
    const isOpen = namesOf(service).some((network) => networks[network]?.internal !== true);
    if (service.ports.length > 0) expect(isOpen, name).toBe(true);
  }
});

test("there is a token for who raises and another for the night", async () => {
  const { config } = await proxyConfig();
  const { auth } = config;
  expect(auth === "none" ? [] : (auth.tokens ?? []).map(({ name, role }) => [name, role])).toEqual([
    ["ops", "operator"],
    ["oncall", "responder"],
  ]);
});

test("no usable secret is shipped: without a token of one's own neither compose nor the proxy starts", async () => {
  for (const proxy of ["proxy-1", "proxy-2"]) {
    for (const name of Object.keys(hashes)) {
      expect(serviceOf(proxy).environment[name]).toMatch(
        new RegExp(`^\\$\\{${name}:\\?run npx cutover token [^}]+\\}$`),
      );
    }
  }
  const path = configFile("docker/cutover.yaml");
  for (const env of [{}, { ...hashes, CUTOVER_OPERATOR_SHA256: "" }, { CUTOVER_OPERATOR_SHA256: sha256 }]) {
    const loaded = await loadConfig(path, env);
    expect(loaded.ok).toBe(false);
  }
  expect(readFileSync(path, "utf8")).not.toMatch(/[0-9a-f]{64}/);
});

test("Redis is reached by the proxies alone, and Prometheus and Grafana reach what they ask", () => {
  const neighbours = Object.keys(services).filter((name) => name !== "redis" && reach(name, "redis"));
  expect(neighbours.sort()).toEqual(["proxy-1", "proxy-2"]);
  const scraped = z
    .object({
      scrape_configs: z.array(
        z.object({ static_configs: z.array(z.object({ targets: z.array(z.string()) })) }),
      ),
    })
    .parse(parse(readFileSync(configFile("prometheus/prometheus.yml"), "utf8")))
    .scrape_configs.flatMap(({ static_configs }) => static_configs.flatMap(({ targets }) => targets));
  expect(scraped).toEqual(["proxy-1:9900", "proxy-2:9900"]);
  for (const target of scraped) expect(reach("prometheus", target.split(":")[0] ?? "")).toBe(true);
  expect(readDatasources().map(({ url }) => url)).toEqual(["http://prometheus:9090"]);
  expect(reach("grafana", "prometheus")).toBe(true);
  expect(serviceOf("prometheus").volumes).toContain("./config/prometheus:/etc/prometheus:ro");
  expect(serviceOf("grafana").volumes).toEqual([
    "./config/grafana/provisioning:/etc/grafana/provisioning:ro",
    "./config/grafana/dashboards:/var/lib/grafana/dashboards:ro",
  ]);
});

test("payments' callbacks and sample shoppers go through the proxies", () => {
  const urls = entries.flatMap(([name, { environment }]) =>
    [environment.CALLBACK_URL, environment.PROXY_URL].flatMap((url) =>
      url === undefined ? [] : { name, url },
    ),
  );
  expect(urls).toHaveLength(4);
  for (const { name, url } of urls) {
    const { hostname, port } = new URL(url);
    expect(["proxy-1", "proxy-2"]).toContain(hostname);
    expect(port).toBe("8080");
    expect(reach(name, hostname)).toBe(true);
  }
});

test("every program that a container runs is built from a source that exists", () => {
  const commands = entries.flatMap(([, { command = [] }]) =>
    command.filter((word) => word.startsWith("dist/")),
  );
  expect(new Set(commands)).toEqual(new Set(["dist/demo/shop-process.js", "dist/demo/shoppers-process.js"]));
  for (const file of commands) {
    const source = file.replace(/^dist\//, "src/").replace(/\.js$/, ".ts");
    expect(existsSync(join(checkout, source)), file).toBe(true);
  }
});

const dockerfile = readFileSync(join(checkout, "Dockerfile"), "utf8");

test("the image is built from files that exist and that .dockerignore lets through", () => {
  const allowed = readFileSync(join(checkout, ".dockerignore"), "utf8")
    .split("\n")
    .flatMap((line) => (line.startsWith("!") ? [line.slice(1)] : []));
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, sources = ""]) =>
    sources.split(" "),
  );
  expect(new Set(copied)).toEqual(new Set(allowed));
  for (const source of copied) expect(existsSync(join(checkout, source)), source).toBe(true);
});

test("the image runs the proxy as a user who owns only its variable data", () => {
  const last = dockerfile.split(/^FROM /m).at(-1) ?? "";
  expect(last).toMatch(/^USER node$/m);
  expect(last.indexOf("USER node")).toBeLessThan(last.indexOf("CMD ["));
  expect(last).toMatch(/^VOLUME \/var\/lib\/cutover$/m);
  expect(last).toContain('CMD ["node", "bin/cutover.js", "serve", "--config", "/etc/cutover/cutover.yaml"]');
  expect(last).toContain("process.env.CUTOVER_ADMIN_URL ?? 'http://127.0.0.1:9900'");
});

test("what the runbooks type in a container is in the image, which is of the newest line of Node that is tested", () => {
  const last = dockerfile.split(/^FROM /m).at(-1) ?? "";
  expect(last).toMatch(/^RUN ln -s \/opt\/cutover\/bin\/cutover\.js \/usr\/local\/bin\/cutover$/m);
  const matrix = readFileSync(join(checkout, "scripts/test-matrix.js"), "utf8");
  const newest = [...matrix.matchAll(/^ {2}\["[\d.]+", "([\d.]+)"\],$/gm)].at(-1)?.[1];
  expect(newest).toMatch(/^26\./);
  expect(last.split("\n")[0]).toBe(`node:${newest}-trixie-slim`);
  // A slim image has no kill of its own: the shell's is typed.
  const runbooks = readdirSync(join(checkout, "docs/runbooks")).map((file) =>
    readFileSync(join(checkout, "docs/runbooks", file), "utf8"),
  );
  for (const typed of runbooks.join("\n").match(/(?:kubectl|docker compose) exec [^\n`]*kill[^\n`]*/g) ??
    []) {
    expect(typed).toMatch(/sh -c 'kill -USR1 1'/);
  }
});

test(".ci/run can be executed", () => {
  expect(statSync(join(checkout, ".ci/run")).mode & 0o111).toBe(0o111);
});
