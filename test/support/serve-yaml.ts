/** The configuration of a `cutover serve` under test: free ports, no files unless asked for, one cutover, `checkout`. */
import type { Sides } from "./sides.ts";

export interface Shape {
  readonly sides: Pick<Sides, "legacy" | "new">;
  /** The keys of a listener, as inside `{ }`; `port: 0` without it. */
  readonly listeners?: { readonly proxy?: string; readonly admin?: string };
  /** How long a start waits for a port or a file that an earlier process has; as in the configuration. */
  readonly wait?: string;
  readonly workers?: number;
  readonly store?: string;
  /** A path or `off`. */
  readonly snapshot?: string;
  readonly spool?: string;
  readonly staleAfter?: string;
  readonly onStale?: "hold" | "legacy";
  readonly fallback?: boolean;
  readonly auth?: string;
  /** More keys of an upstream, as inside `{ }`. */
  readonly upstreams?: { readonly legacy?: string; readonly new?: string };
  /** Lines of the cutover, in place of those that say its shopper and routes: /cart/* by the field x-shopper-id. */
  readonly cutover?: readonly string[];
  /** Further cutovers: name and path. */
  readonly others?: Readonly<Record<string, string>>;
  /** Further lines of the top level. */
  readonly more?: readonly string[];
}

const shopper = "shopper: ['header:x-shopper-id']";
export const cartsByShopper = [shopper, "routes: [{ name: cart, path: '/cart/*' }]"];

/** What a test has its sides do is not to be rolled back by a guard that it does not ask for. */
function unguarded(lines: readonly string[]): readonly string[] {
  return lines.some((line) => line.startsWith("guard:")) ? [] : ["guard: off"];
}

/** Answers of the cutovers tell how they were decided. */
export function serveYaml(shape: Shape): string {
  const { sides, workers = 1, store = "memory:", snapshot = "off", spool = "off" } = shape;
  const upstream = (side: "legacy" | "new") => {
    const more = shape.upstreams?.[side];
    return `{ url: '${sides[side]}'${more === undefined ? "" : `, ${more}`} }`;
  };
  const cutover = (name: string, lines: readonly string[]) => [
    `  ${name}:`,
    ...["legacy: social-shop", "new: marketplace", ...lines, ...unguarded(lines)].map(
      (line) => `    ${line}`,
    ),
  ];
  return [
    "listeners:",
    `  proxy: { ${shape.listeners?.proxy ?? "port: 0"} }`,
    `  admin: { ${shape.listeners?.admin ?? "port: 0"} }`,
    `  wait: ${shape.wait ?? "20s"}`,
    `workers: ${workers}`,
    `store: '${store}'`,
    `snapshot: '${snapshot}'`,
    `spool: '${spool}'`,
    `staleAfter: ${shape.staleAfter ?? "30s"}`,
    `auth: ${shape.auth ?? "none"}`,
    "decisionHeader: x-cutover-decision",
    ...(shape.more ?? []),
    "upstreams:",
    `  social-shop: ${upstream("legacy")}`,
    `  marketplace: ${upstream("new")}`,
    "default: social-shop",
    "cutovers:",
    ...cutover("checkout", [
      ...(shape.cutover ?? cartsByShopper),
      `onStale: ${shape.onStale ?? "hold"}`,
      `fallback: ${shape.fallback ?? false}`,
    ]),
    ...Object.entries(shape.others ?? {}).flatMap(([name, path]) =>
      cutover(name, [shopper, `routes: [{ name: main, path: '${path}' }]`]),
    ),
    "",
  ].join("\n");
}
