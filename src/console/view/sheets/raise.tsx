/** A raise, with more friction the farther it goes; and the keys. */
import { percentOf } from "../../../admin/api/rules.ts";
import { verdictOf } from "../../../admin/api/words/verdict.ts";
import { toldOf } from "../../state.ts";
import { momentsIn } from "../../words/figures.ts";
import { moreAnHour, raiseOffered, typedFor } from "../../words/friction.ts";
import { SplitBar } from "../hero.tsx";
import { fieldOf, instead, type Shown, type ShownOne } from "../shown.tsx";
import { CloseButton, isMade, NoticeText, SheetDialog } from "./rollback.tsx";

export function RaiseSheet(shown: ShownOne) {
  const { view, ui, state, figures } = shown;
  if (ui.sheet !== "raise") return null;
  const to = percentOf(ui.target.trim());
  const isRaise = to !== undefined && to > view.percent;
  const more = isRaise ? moreAnHour(view, to) : undefined;
  const isDone = ui.isSending || isMade(ui.outcome);
  const isChanged = !isDone && ui.onVersion !== undefined && ui.onVersion !== view.version;
  const verdict = verdictOf(view, toldOf(state, view.name).guard, ui.ageMs, figures);
  return (
    <SheetDialog {...shown} id="raise" title={`Raise ${view.name}`}>
      {isChanged && (
        <p class="warning" role="alert">
          {`Changed by ${view.updatedBy} to ${figures.percent(view.percent)} (v${view.version}). Review again.`}
        </p>
      )}
      <p class="label">Now</p>
      <SplitBar view={view} to={view.percent} />
      {isRaise && <p class="label">{`After, at ${figures.percent(to)}`}</p>}
      {isRaise && <SplitBar view={view} to={to} />}
      {more !== undefined && to !== undefined && (
        <p>{`≈ ${figures.count(more.anHour)} more ${more.what} an hour go to ${view.new}.`}</p>
      )}
      <p class={`verdict ${verdict.tone}`}>
        <span class="sign" aria-hidden="true">
          {verdict.mark}
        </span>
        <span>{verdict.text}</span>
      </p>
      {!isMade(ui.outcome) && <RaiseForm {...shown} isChanged={isChanged} />}
      {ui.outcome && <NoticeText notice={ui.outcome} />}
      <CloseButton {...shown} />
    </SheetDialog>
  );
}

function RaiseForm({ isChanged, ...shown }: ShownOne & { readonly isChanged: boolean }) {
  const { view, ui, deeds, state, figures } = shown;
  const to = percentOf(ui.target.trim());
  const { guard } = toldOf(state, view.name);
  const isRaise = to !== undefined && to > view.percent;
  const offer = isRaise ? raiseOffered(state, view, to) : undefined;
  const vain = offer?.kind === "none" ? offer.why : undefined;
  const typed = isRaise ? typedFor(view.percent, to, verdictOf(view, guard, ui.ageMs, figures)) : undefined;
  const send = (event: Event) => {
    const isTyped = typed === undefined || fieldOf(event, "typed").trim() === typed;
    if (isRaise && vain === undefined && isTyped && !isChanged) deeds.raise(to, fieldOf(event, "reason"));
  };
  return (
    <form onSubmit={instead(send)}>
      <label>
        Raise to, in percent
        <input
          name="target"
          inputMode="decimal"
          autocomplete="off"
          required
          value={ui.target}
          onInput={(event) => deeds.aim(event.currentTarget.value)}
        />
      </label>
      {!isRaise && (
        <p class="note">{`A raise is above ${figures.percent(view.percent)}, to 100% at most.`}</p>
      )}
      {vain !== undefined && (
        <p class="note">{`It would be refused: ${momentsIn(vain, figures, state.at)}.`}</p>
      )}
      {offer?.kind === "proposed" && <p class="note">It waits for another person then.</p>}
      <label>
        Reason
        <input name="reason" maxLength={500} autocomplete="off" required />
      </label>
      {typed !== undefined && (
        <label>
          {`Type ${typed} to go on: it is far, or new is not known to be as good`}
          <input
            name="typed"
            inputMode="decimal"
            autocomplete="off"
            required
            pattern={typed.replace(".", "\\.")}
          />
        </label>
      )}
      <button
        type="submit"
        id="raise-now"
        class="primary"
        aria-disabled={ui.isSending || isChanged || !isRaise || vain !== undefined}
      >
        {ui.isSending
          ? "Sending…"
          : `${offer?.kind === "proposed" ? "Propose" : "Raise to"} ${to === undefined ? "…" : figures.percent(to)}`}
      </button>
    </form>
  );
}

const keys = [
  ["?", "this list"],
  ["Shift+R", "opens the sheet that rolls back; it never rolls back by itself"],
  ["Shift+H", "holds"],
  ["1 2 3", "30 minutes, 3 hours, 24 hours; with a Prometheus 4 and 5, 7 and 30 days"],
  ["Esc", "closes what is open"],
] as const;

export function HelpSheet(shown: Shown) {
  const { ui, deeds } = shown;
  return (
    <SheetDialog {...shown} id="help" title="Keys">
      <dl class="keys">
        {keys.map(([key, does]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
      <label class="choice">
        <input
          type="checkbox"
          checked={ui.hasKeys}
          onChange={(event) => deeds.setKeys(event.currentTarget.checked)}
        />
        Keys are on
      </label>
      <CloseButton {...shown} />
    </SheetDialog>
  );
}
