/** The second tap: the sheet that rolls one cutover back, or all of them, and then tells what came of it. */
import type { ComponentChildren } from "preact";
import type { PageNotice } from "../../state.ts";
import type { Sheet } from "../../ui.ts";
import { liveForMs } from "../../words/liveness.ts";
import { fieldOf, instead, type Shown, type ShownOne } from "../shown.tsx";

interface DialogProps extends Pick<Shown, "ui" | "deeds"> {
  readonly id: Sheet;
  readonly title: string;
  readonly children: ComponentChildren;
}

/**
 * A native dialog. The server opens it in the page where it was asked to; the script opens it above the page, and closes
 * it: @see browser/dialogs.ts
 */
export function SheetDialog({ id, title, ui, deeds, children }: DialogProps) {
  const isOpen = ui.sheet === id;
  return (
    <dialog
      id={`sheet-${id}`}
      class="sheet"
      aria-labelledby={`title-${id}`}
      data-open={isOpen}
      open={isOpen && !ui.isLive}
      onCancel={instead(() => deeds.close())}
    >
      <h2 id={`title-${id}`}>{title}</h2>
      {children}
    </dialog>
  );
}

const reasons = ["Errors up", "Slow", "Customers report", "Other"];

export function RollBackSheet(shown: ShownOne) {
  const { state, view, ui, deeds } = shown;
  const isDone = isMade(ui.outcome);
  return (
    <SheetDialog {...shown} id="rollback" title={`Roll ${view.name} back to 0%`}>
      {!isDone && (
        <form
          method="post"
          action="act"
          onSubmit={instead((event) => deeds.rollBack(fieldOf(event, "reason")))}
        >
          <input type="hidden" name="cutover" value={view.name} />
          <input type="hidden" name="csrf" value={state.csrf ?? ""} />
          <input type="hidden" name="action" value="rollback" />
          <button type="submit" id="roll-back-now" class="danger" aria-disabled={ui.isDead || ui.isSending}>
            {sendingWords(ui, "Roll back now")}
          </button>
          <p class="means">
            {`New checkouts go to ${view.legacy}. Journeys already on ${view.new} finish there. Nothing raises it before it is resumed.`}
          </p>
          <fieldset>
            <legend>Why, if you like</legend>
            {reasons.map((reason) => (
              <label class="choice" key={reason}>
                <input type="radio" name="reason" value={reason} />
                {reason}
              </label>
            ))}
          </fieldset>
        </form>
      )}
      {ui.isSending && <Progress {...shown} />}
      {ui.outcome && <NoticeText notice={ui.outcome} />}
      {isDone && <StillThere {...shown} />}
      <CloseButton {...shown} />
    </SheetDialog>
  );
}

function sendingWords({ isSending, outcome }: Shown["ui"], words: string): string {
  if (isSending) return "Sending…";
  return outcome?.kind === "failed" ? "Try again" : words;
}

/** From the stream, before the call is answered: it is, once all instances apply it, or have been waited for. */
function Progress({ view, ui }: ShownOne) {
  const { version, instances } = view;
  const isCommitted = ui.onVersion !== undefined && version > ui.onVersion;
  const of = instances.live + instances.silent.length;
  return (
    <p class="note" role="status">
      {isCommitted
        ? `Committed as v${version}; applied on ${instances.applied}/${of} instances so far`
        : "Sending…"}
    </p>
  );
}

/** What goes on on new after a rollback: what is under way there. */
function StillThere({ view, ui, figures }: ShownOne) {
  const { live, applied, silent } = view.instances;
  const { inFlight } = view.traffic.new;
  const journeys = view.journeys?.new.open;
  const parts = [
    ...(journeys === undefined ? [] : [`${figures.count(journeys)} journeys`]),
    `${figures.count(inFlight)} requests`,
  ];
  const isPartial = ui.outcome?.kind === "partial";
  return (
    <>
      {isPartial && (
        <p class="note loud">{`Now v${view.version} on ${applied}/${live + silent.length} instances.`}</p>
      )}
      {view.traffic.begun && <p class="note">{newlyBegun(view, view.traffic.begun, ui, figures)}</p>}
      <p class="note">{`Still under way on ${view.new}, where they finish: ${parts.join(", ")}.`}</p>
    </>
  );
}

/** A tick only where everybody is heard of, and of now. */
function newlyBegun(
  { instances, new: onNew }: ShownOne["view"],
  begun: NonNullable<ShownOne["view"]["traffic"]["begun"]>,
  ui: Shown["ui"],
  figures: Shown["figures"],
): string {
  const { live, applied, silent } = instances;
  const isKnown = silent.length === 0 && applied === live && ui.ageMs <= liveForMs;
  if (begun.newLately > 0)
    return `${figures.count(begun.newLately)} new journeys on ${onNew} in the last 10 s`;
  return `0 new journeys on ${onNew} in the last 5 s${isKnown ? " ✓" : ", of those that are heard of"}`;
}

export function RollBackAllSheet(shown: Shown) {
  const { state, ui, deeds } = shown;
  const isDone = isMade(ui.outcome);
  return (
    <SheetDialog {...shown} id="rollback_all" title={`Roll all ${state.cutovers.length} cutovers back to 0%`}>
      {!isDone && (
        <form method="post" action="act" onSubmit={instead(() => deeds.rollBackAll())}>
          <input type="hidden" name="csrf" value={state.csrf ?? ""} />
          <input type="hidden" name="action" value="rollback_all" />
          <button
            type="submit"
            id="roll-back-all-now"
            class="danger"
            aria-disabled={ui.isDead || ui.isSending}
          >
            {sendingWords(ui, "Roll back all now")}
          </button>
          <p class="means">New checkouts of every cutover go to its legacy side.</p>
        </form>
      )}
      {ui.outcome && <NoticeText notice={ui.outcome} />}
      <CloseButton {...shown} />
    </SheetDialog>
  );
}

/** Without the script it leads back to the page without the sheet. */
export function CloseButton({ state, ui, deeds }: Shown) {
  const words = isMade(ui.outcome) ? "Close" : "Cancel";
  if (!ui.isLive) {
    const { chosen } = state;
    return (
      <a class="button quiet" href={chosen === undefined ? "./" : `?cutover=${encodeURIComponent(chosen)}`}>
        {words}
      </a>
    );
  }
  // The second half of a double tap is not taken for one that closes it; Escape is no tap.
  return (
    <button
      type="button"
      class="quiet close"
      aria-disabled={ui.isDead}
      onClick={() => ui.isDead || deeds.close()}
    >
      {words}
    </button>
  );
}

/** Whether it is made, be it certain everywhere or not yet. */
export function isMade(outcome: PageNotice | undefined): boolean {
  return outcome !== undefined && outcome.kind !== "failed";
}

const marks = { done: "✓", partial: "▲", failed: "⬢" } as const satisfies Record<PageNotice["kind"], string>;

export function NoticeText({ notice: { kind, text, details } }: { readonly notice: PageNotice }) {
  return (
    <div class={`notice ${kind}`} role={kind === "failed" ? "alert" : "status"}>
      <p>
        <strong>
          <span aria-hidden="true">{marks[kind]}</span> {text}
        </strong>
      </p>
      {details.map((each) => (
        <p key={each}>{each}</p>
      ))}
    </div>
  );
}
