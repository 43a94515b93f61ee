/** The kinds of demonstration: what each is configured by, and what begins it. */
import { fileURLToPath } from "node:url";
import { type Demo, type DemoOptions, runDemo } from "./demo.ts";
import { runStorefrontDemo } from "./storefronts/demo.ts";

interface DemoKind {
  /** The package's own configuration, wherever the command is run. */
  readonly path: string;
  /** Rejects when it cannot start; what was started is closed again then. */
  begin(
    options: Pick<DemoOptions, "config" | "startInstance" | "print" | "plan">,
  ): Promise<Pick<Demo, "stop">>;
}

export function demoOf(shops: "sample" | "forms" | "graphql"): DemoKind {
  const pathOf = (file: string) => fileURLToPath(new URL(`../../config/${file}.yaml`, import.meta.url));
  if (shops === "sample") return { path: pathOf("cutover"), begin: runDemo };
  return {
    path: pathOf(`demo-${shops}`),
    begin: (options) => runStorefrontDemo({ ...options, dialect: shops }),
  };
}
