/**
 * Takes the pictures that stand in docs/console: `npm run screenshots`, or some by their names. Of the page each is a scene
 * (scenes.ts); of the terminal, a frame of `watch` of the same scene, and a walk through real commands (walk.ts).
 */
import { mkdir, writeFile } from "node:fs/promises";
import { launchChromium } from "../../support/chromium.ts";
import { scenes } from "./scenes.ts";
import { root, serve } from "./site.ts";
import { watchPicture } from "./terminal.ts";
import { recordWalk } from "./walk.ts";

const wanted = process.argv.slice(2);
const folder = `${root}/docs/console`;
await mkdir(folder, { recursive: true });
const browser = await launchChromium();
for (const [name, scene] of Object.entries(scenes)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const site = await serve(scene.state);
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...scene.options });
  const page = await context.newPage();
  await page.goto(site.url);
  await page.locator(".chip.live").waitFor();
  if (scene.state.chosen !== undefined) await page.locator("#charts canvas").first().waitFor();
  await scene.act?.(page, site.stop);
  const animations = "disabled" as const;
  await page.screenshot({ path: `${folder}/${name}.png`, fullPage: scene.isWhole === true, animations });
  console.log(`docs/console/${name}.png`);
  await context.close();
  site.close();
}
await browser.close();
const texts = { terminal: async () => watchPicture(), walk: recordWalk };
for (const [name, draw] of Object.entries(texts)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  await writeFile(`${folder}/${name}.svg`, await draw());
  console.log(`docs/console/${name}.svg`);
}
