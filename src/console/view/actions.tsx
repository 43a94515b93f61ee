/** What a person may do now: rolling back first, and always; on a phone fixed at the bottom. */
import { whyNotApproved } from "../../admin/api/offers.ts";
import { mayDo } from "../state.ts";
import { momentsIn } from "../words/figures.ts";
import { nextOffered } from "../words/friction.ts";
import { instead, type ShownOne } from "./shown.tsx";

export function ActionBar(shown: ShownOne) {
  const { state, view } = shown;
  if (!mayDo(state, "responder")) {
    return (
      <aside class="actions" aria-label="Actions">
        <p class="note">
          {`You are ${state.who?.role ?? "nobody"} here: you see, and change nothing. A responder may roll back and hold.`}
        </p>
      </aside>
    );
  }
  if (view.state === "closed") {
    return (
      <aside class="actions" aria-label="Actions">
        <p class="note">{`${view.legacy} is closed for good: nothing can be rolled back.`}</p>
      </aside>
    );
  }
  return (
    <aside class="actions" aria-label="Actions">
      <div class="bar">
        <RollBackButton {...shown} />
        <div class="pair">
          <HoldButton {...shown} />
          <RaiseButton {...shown} />
        </div>
      </div>
      <Waiting {...shown} />
    </aside>
  );
}

/** A form of its own: without the script it asks the server for the page with the sheet open. */
function RollBackButton({ view, deeds }: ShownOne) {
  return (
    <form method="get" action="./" onSubmit={instead(() => deeds.open("rollback"))}>
      <input type="hidden" name="cutover" value={view.name} />
      <input type="hidden" name="intent" value="rollback" />
      <button type="submit" id="roll-back" class="danger" aria-describedby="roll-back-means">
        Roll back to 0%
      </button>
      <p class="means" id="roll-back-means">
        {`New checkouts go to ${view.legacy}. Journeys already on ${view.new} finish there.`}
      </p>
    </form>
  );
}

function HoldButton({ state, view, deeds, ui, figures }: ShownOne) {
  if (view.state !== "open") {
    if (!mayDo(state, "operator") || !ui.isLive) return null;
    return (
      <button type="button" id="resume" class="secondary" onClick={() => deeds.open("resume")}>
        Resume…
      </button>
    );
  }
  return (
    <form method="post" action="act" onSubmit={instead(() => deeds.hold())}>
      <input type="hidden" name="cutover" value={view.name} />
      <input type="hidden" name="csrf" value={state.csrf ?? ""} />
      <button type="submit" id="hold" name="action" value="hold" class="secondary">
        {`Hold at ${figures.percent(view.percent)}`}
      </button>
    </form>
  );
}

/** Off while nobody can know what it would do, and where it would be refused: the words say why. */
function RaiseButton({ state, view, deeds, ui, figures }: ShownOne) {
  const next = nextOffered(state, view);
  if (!ui.isLive || !mayDo(state, "operator") || view.state !== "open" || next === undefined) return null;
  const why = whyNoRaise({ view, ui }) ?? (next.kind === "none" ? next.why : undefined);
  return (
    <button
      type="button"
      id="raise"
      class="secondary"
      aria-disabled={why !== undefined}
      title={why ?? ""}
      onClick={() => {
        if (why === undefined) deeds.open("raise");
      }}
    >
      {why !== undefined || next.kind === "none"
        ? `No raise: ${momentsIn(why ?? "", figures, state.at)}`
        : `${next.kind === "proposed" ? "Propose" : "Next step:"} ${figures.percent(next.to)}…`}
    </button>
  );
}

function whyNoRaise({ view, ui }: Pick<ShownOne, "view" | "ui">): string | undefined {
  if (ui.ageMs > 3000) return "data is old";
  if (view.store?.writable === false) return "it cannot be saved";
  if (view.scope === "local") return "this instance stands alone";
  return undefined;
}

/** Four eyes: what waits for another person. */
function Waiting({ state, view, deeds, ui, figures }: ShownOne) {
  const { proposal, new: onNew } = view;
  if (proposal === undefined) return null;
  const { action, force, percent, by, reason, expiresAt, id } = proposal;
  const what =
    action === "close"
      ? `Close ${view.legacy} for good${force === true ? ", which gives up what is under way there," : ""}`
      : `${action === "plan" ? "Raise by the plan, step by step," : "Raise"} to ${figures.percent(percent)} on ${onNew}`;
  const isOwn = state.who?.name === by;
  const mayApprove = mayDo(state, action === "close" ? "admin" : "operator") && !isOwn;
  const vain = whyNotApproved(view, action === "close" ? "admin" : "operator");
  return (
    <section class="proposal" aria-label="Waits for another person">
      <p>
        <strong>{what}</strong>
        {` is proposed by ${by}, “${reason}”, until ${figures.moment(expiresAt, state.at)}.`}
      </p>
      {vain !== undefined && (
        <p class="note">{`Approved now it would be refused: ${momentsIn(vain, figures, state.at)}.`}</p>
      )}
      {isOwn && <p class="note">Another person has to approve it.</p>}
      {ui.isLive && (
        <div class="pair">
          {mayApprove && vain === undefined && (
            <button type="button" id="approve" class="secondary" onClick={() => deeds.approve(id)}>
              {action === "close" ? "Approve the close" : `Approve ${figures.percent(percent)}`}
            </button>
          )}
          <button type="button" id="withdraw" class="quiet" onClick={() => deeds.withdraw(id)}>
            Withdraw
          </button>
        </div>
      )}
      <p class="note">
        <code>{`cutover approve ${view.name} ${id}`}</code>
      </p>
    </section>
  );
}
