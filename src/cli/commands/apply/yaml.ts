/**
 * What is used of `yaml` where it is loaded as it is needed. The package is CommonJS: bundled, an `import("yaml")` by itself
 * has a default and no names, which the source run as it stands does not show.
 */
export { isNode, LineCounter, parse, parseDocument } from "yaml";
