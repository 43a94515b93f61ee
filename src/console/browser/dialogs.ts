/**
 * What is not in the markup: native dialogs, opened above the page and closed as its value says, and what keys do; and
 * what the browser keeps.
 */
import type { ConsoleState } from "../state.ts";
import type { Deeds, Ui } from "../ui.ts";

/** To be called after each render. */
export function settleDialogs(): void {
  for (const dialog of document.querySelectorAll("dialog")) {
    const isWanted = dialog.dataset.open === "true";
    const isAbove = dialog.matches(":modal");
    if (isWanted && !isAbove) {
      // The server has opened it in the page.
      if (dialog.open) dialog.close();
      dialog.showModal();
    } else if (!isWanted && dialog.open) dialog.close();
  }
}

/** `Shift+R` opens the sheet, as a tap on the button does; it never sends. */
export function onKey(event: KeyboardEvent, state: ConsoleState, ui: Ui, deeds: Deeds): void {
  const key = keyNamed(event);
  if (!ui.hasKeys || key === undefined || state.who === undefined) return;
  const isAll = state.chosen === undefined;
  if (key === "?") deeds.open("help");
  else if (ui.sheet !== undefined) return;
  else if (key === "Shift+R") press(isAll ? "roll-back-all" : "roll-back");
  else if (key === "Shift+H") press(isAll ? "hold-all" : "hold");
  else if (key === "1" || key === "2" || key === "3") deeds.choose(ranges[key]);
  else if ((key === "4" || key === "5") && state.page.hasOlder === true) deeds.choose(ranges[key]);
}

const ranges = { "1": "30m", "2": "3h", "3": "24h", "4": "7d", "5": "30d" } as const;

/** What is not there, is not for this person. */
function press(id: string): void {
  document.getElementById(id)?.click();
}

/** @returns `undefined` where the key is a field's own, or the browser's */
function keyNamed({
  target,
  key,
  shiftKey,
  ctrlKey,
  altKey,
  metaKey,
  repeat,
}: KeyboardEvent): string | undefined {
  if (ctrlKey || altKey || metaKey || repeat) return undefined;
  const isField = target instanceof HTMLInputElement && !["radio", "checkbox"].includes(target.type);
  if (isField || target instanceof HTMLTextAreaElement) return undefined;
  return shiftKey && /^[a-z]$/i.test(key) ? `Shift+${key.toUpperCase()}` : key;
}

export function keep(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Then it is forgotten with the page.
  }
}

export function kept(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}
