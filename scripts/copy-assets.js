// tsc copies no file that is not TypeScript; the store's Lua scripts and the status page are read at run time.
import { cpSync, statSync } from "node:fs";

const assets = new Set([".lua", ".html", ".css", ".js"]);
cpSync("src", "dist", {
  recursive: true,
  filter: (path) => statSync(path).isDirectory() || [...assets].some((ending) => path.endsWith(ending)),
});
