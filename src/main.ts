/** argv → command. */
import { writeSync } from "node:fs";
import type { ConfigProblem, Engine } from "./cli/engine.ts";
import { exitCodes } from "./cli/exit.ts";
import { packageVersion, runCli } from "./cli/program.ts";
import { processTerminal } from "./cli/screen/terminal.ts";
import type { PlacedProblem } from "./config/load/problems.ts";

const version = packageVersion();
/** How long a process may stay that has closed all it has. */
const lingersMs = 500;

/** The rooms behind serve, demo and check: loaded when they are needed, so that the other commands start fast. */
const engine: Engine = {
  async check(path) {
    const loaded = await load(path);
    if (!loaded.ok) return loaded;
    const { warnings, explain, shown } = loaded;
    const attempt = async (method: string, url: string) => {
      const { tryRequest } = await import("./proxy/relay/rewrite/trial.ts");
      return tryRequest(shown(), method, url);
    };
    return { ok: true, warnings, explain, attempt };
  },

  async examine(path) {
    const { access } = await import("node:fs/promises");
    const check = "configuration";
    const isThere = await access(path).then(
      () => true,
      () => false,
    );
    if (!isThere) {
      const said = `${path} is not here: its store and upstreams were not looked at`;
      return [{ check, verdict: "warn", said, fix: "Run it on the instance's host, or pass --config FILE." }];
    }
    const loaded = await load(path);
    if (!loaded.ok) {
      return loaded.problems.map(({ text }) => ({ check, verdict: "fail", said: text }));
    }
    const { examine } = await import("./instance/doctor.ts");
    const warnings = loaded.warnings.map(({ text }) => ({ check, verdict: "warn", said: text }) as const);
    const sound = { check, verdict: "ok", said: `${path} is sound` } as const;
    return [sound, ...warnings, ...(await examine(loaded.config))];
  },

  async serve(path) {
    const loaded = await load(path);
    if (!loaded.ok) return loaded;
    const { composeInstance } = await import("./instance/instance.ts");
    const { inheritedSockets } = await import("./instance/sockets.ts");
    const { loadConfig } = await import("./config/load/load.ts");
    const instance = await composeInstance(loaded.config, {
      version,
      file: { source: loaded.source, read: () => loadConfig(path, process.env) },
      sockets: inheritedSockets(process.env, process.pid),
    });
    return {
      ok: true,
      warnings: loaded.warnings,
      async close() {
        await instance.close();
        // What nobody can end, such as a delivery of traces that is to be tried again, keeps the process no longer.
        setTimeout(() => process.exit(), lingersMs).unref();
      },
      breakGlass: () => instance.breakGlass(),
      reload: () => instance.reload(),
      restartWorkers: () => instance.restartWorkers(),
    };
  },

  async direct(write) {
    const { writeDirectly } = await import("./instance/direct.ts");
    return writeDirectly(write);
  },

  async demo(print, { shops, plan, store }) {
    const { apart } = await import("./demo/apart.ts");
    const { demoOf } = await import("./demo/kinds.ts");
    const { loadConfig } = await import("./config/load/load.ts");
    const { path, begin } = demoOf(shops);
    const loaded = await load(path);
    if (!loaded.ok) return loaded;
    const { composeInstance } = await import("./instance/instance.ts");
    const demo = await begin({
      config: apart(loaded.config, store),
      startInstance: (config, { logPath }) =>
        composeInstance(config, {
          logPath,
          version,
          file: { source: loaded.source, read: () => loadConfig(path, process.env) },
        }),
      print,
      ...(plan === undefined ? {} : { plan: { kind: plan } }),
    });
    return { ok: true, warnings: loaded.warnings, close: () => demo.stop() };
  },

  async simulate(question, told) {
    const { forecast } = await import("./guard/simulate/forecast.ts");
    const { linesOf, pictureOf } = await import("./guard/simulate/told.ts");
    const found = forecast(question, told);
    return { lines: linesOf(found), picture: pictureOf(found), forecast: found };
  },
};

async function load(path: string) {
  const { loadConfig } = await import("./config/load/load.ts");
  const { formatProblem } = await import("./config/load/problems.ts");
  const told = (problem: PlacedProblem): ConfigProblem => ({ ...problem, text: formatProblem(problem) });
  const loaded = await loadConfig(path, process.env);
  return loaded.ok
    ? { ...loaded, warnings: loaded.warnings.map(told) }
    : { ...loaded, problems: loaded.problems.map(told) };
}

/** By which Node ends a program that waits, and nothing is left to wait for. */
const nothingLeft = 13;
process.on("exit", (code) => {
  if (code !== nothingLeft && process.exitCode !== nothingLeft) return;
  writeSync(2, "cutover: it ended before it was done; whether anything was changed is not known\n");
  writeSync(2, "  Look before you repeat it: cutover status\n");
  process.exitCode = exitCodes.refused;
});

process.exitCode = await runCli(process.argv.slice(2), {
  terminal: processTerminal(),
  env: process.env,
  now: Date.now,
  engine,
  version,
  abandon: () => process.exit(1),
});
