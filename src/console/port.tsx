/** The page as the admin server sends it: whole, with all that it shows in it, so that it is of use before any script. */
import { renderToString } from "preact-render-to-string";
import type { ConsoleState } from "./state.ts";
import { firstUi } from "./ui.ts";
import { App } from "./view/app.tsx";
import { createFigures } from "./words/figures.ts";

/** The files beside the page, by their names; they stand in dist/console. */
export const consoleFiles = {
  style: "console.css",
  script: "console.js",
  charts: "charts.js",
} as const;

/**
 * @param style the style sheet's text: in the page itself, it costs no further round trip. Its digest has to be in the
 *   page's policy
 * @returns the document
 */
export function renderConsole(state: ConsoleState, style: string): string {
  const { environment, locale } = state.page;
  const figures = createFigures(locale, state.zone);
  const name = [state.chosen, environment].filter((part) => part !== undefined).join(" · ");
  const title = name === "" ? "cutover" : `${escapeText(name)} · cutover`;
  return `<!doctype html>
<html lang="en" data-locale="${locale}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">
<meta name="robots" content="noindex">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>${style}</style>
<script src="${consoleFiles.script}" type="module"></script>
</head>
<body>
<div id="console">${renderToString(<App state={state} ui={firstUi(state)} figures={figures} />)}</div>
<script type="application/json" id="state">${inScript(state)}</script>
</body>
</html>
`;
}

function escapeText(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

/** JSON that ends no script, whatever stands in it. */
function inScript(state: ConsoleState): string {
  return JSON.stringify(state).replaceAll("<", "\\u003c");
}
