/** What takes a reason and nothing else: resuming, and starting and pausing the plan. */
import { toldOf } from "../../state.ts";
import type { Sheet } from "../../ui.ts";
import { fieldOf, instead, type ShownOne } from "../shown.tsx";
import { CloseButton, isMade, NoticeText, SheetDialog } from "./rollback.tsx";

export function ResumeSheet(shown: ShownOne) {
  const { view, deeds, figures } = shown;
  const means =
    view.state === "rolled_back"
      ? "It is open then, at 0%: it is raised from there, step by step."
      : `It stays at ${figures.percent(view.percent)}, and may be raised again.`;
  const title = `Resume ${view.name}`;
  return <ReasonSheet {...shown} {...{ id: "resume", title, means, verb: "Resume", send: deeds.resume }} />;
}

export function StartPlanSheet(shown: ShownOne) {
  const { view, deeds, state, figures } = shown;
  const next = toldOf(state, view.name).plan?.next ?? null;
  const first = next === null ? "" : ` The next step is ${figures.percent(next)}.`;
  const means = `It raises ${view.new} step by step, each once all that it waits for holds.${first}`;
  const send = (reason: string) => deeds.changePlan("start", reason);
  return (
    <ReasonSheet {...shown} {...{ id: "start_plan", title: "Start the plan", means, verb: "Start", send }} />
  );
}

export function PausePlanSheet(shown: ShownOne) {
  const means = "No further step is made before it is started again. It lowers nothing.";
  const send = (reason: string) => shown.deeds.changePlan("pause", reason);
  return (
    <ReasonSheet {...shown} {...{ id: "pause_plan", title: "Pause the plan", means, verb: "Pause", send }} />
  );
}

interface ReasonSheetProps extends ShownOne {
  readonly id: Sheet;
  readonly title: string;
  readonly means: string;
  readonly verb: string;
  readonly send: (reason: string) => void;
}

function ReasonSheet({ id, title, means, verb, send, ...shown }: ReasonSheetProps) {
  const { ui } = shown;
  return (
    <SheetDialog {...shown} id={id} title={title}>
      {!isMade(ui.outcome) && (
        <form onSubmit={instead((event) => send(fieldOf(event, "reason")))}>
          <p>{means}</p>
          <label>
            Reason
            <input name="reason" maxLength={500} autocomplete="off" required />
          </label>
          <button type="submit" id={`${id}-now`} class="primary" aria-disabled={ui.isSending}>
            {ui.isSending ? "Sending…" : verb}
          </button>
        </form>
      )}
      {ui.outcome && <NoticeText notice={ui.outcome} />}
      <CloseButton {...shown} />
    </SheetDialog>
  );
}
