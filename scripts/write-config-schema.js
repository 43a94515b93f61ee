// Writes the configuration's JSON Schema for editors, from what was just built.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { configSchemaText } from "../dist/config/json-schema.js";

const path = new URL("../config/cutover.schema.json", import.meta.url);
const text = configSchemaText();
let before;
try {
  before = readFileSync(path, "utf8");
} catch {
  before = undefined;
}
if (text !== before) {
  mkdirSync(new URL("./", path), { recursive: true });
  writeFileSync(path, text);
}
