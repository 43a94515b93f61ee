/** What every part of the view is given, and what the parts have in common. */
import type { CutoverView } from "../../admin/api/cutover-view.ts";
import type { ConsoleState } from "../state.ts";
import type { Deeds, Ui } from "../ui.ts";
import type { Figures } from "../words/figures.ts";

export interface Shown {
  readonly state: ConsoleState;
  readonly ui: Ui;
  readonly deeds: Deeds;
  readonly figures: Figures;
}

/** Of the cutover that is chosen. */
export interface ShownOne extends Shown {
  readonly view: CutoverView;
}

/** What a form's field or a button of it holds, by its name. */
export function fieldOf(event: Event, name: string): string {
  const form = event.currentTarget;
  if (form === null || !("elements" in form)) return "";
  const { elements } = form;
  const named =
    typeof elements === "object" && elements !== null && "namedItem" in elements
      ? elements.namedItem
      : undefined;
  const found: unknown = typeof named === "function" ? named.call(elements, name) : undefined;
  const isField = typeof found === "object" && found !== null && "value" in found;
  return isField && typeof found.value === "string" ? found.value : "";
}

/** A handler that keeps the browser from doing what it would without the script. */
export function instead(does: (event: Event) => void): (event: Event) => void {
  return (event) => {
    event.preventDefault();
    does(event);
  };
}

/** Cells of a table's first line. */
export function Heads({ names }: { readonly names: readonly string[] }) {
  return names.map((name) => (
    <th scope="col" key={name}>
      {name}
    </th>
  ));
}
