/** The plan: what is done, where it stands, what is next and what that waits for, and the finish against the deadline. */
import type { PlanView } from "../../admin/api/plan/plan-view.ts";
import { agoText, spanText } from "../../admin/api/words/span.ts";
import { mayDo, toldOf } from "../state.ts";
import { momentsIn } from "../words/figures.ts";
import type { ShownOne } from "./shown.tsx";

export function PlanSection(shown: ShownOne) {
  const { state, view } = shown;
  const { plan } = toldOf(state, view.name);
  const isPlanned = plan !== undefined && plan.status !== "none";
  return (
    <section aria-labelledby="plan">
      <div class="heading">
        <h2 id="plan">Plan</h2>
        {isPlanned && <PlanButton {...shown} plan={plan} />}
      </div>
      {isPlanned ? (
        <Planned {...shown} plan={plan} />
      ) : (
        <p class="note">
          {view.plan === undefined
            ? "No plan is configured: each step is made by a person."
            : `Its plan: ${momentsIn(view.plan.sentence, shown.figures, state.at)}`}
        </p>
      )}
      <Dates {...shown} />
    </section>
  );
}

/** What holds everybody back just now, what is to be set at a time, and a date that no plan is held against. */
function Dates({ view, state, figures }: ShownOne) {
  const { freeze, window, deadline, schedule = [] } = view;
  const until = (iso: string) => `until ${figures.day(iso, state.at)}`;
  const isOwn = deadline !== undefined && toldOf(state, view.name).plan?.deadline == null;
  if (freeze === undefined && window === undefined && schedule.length === 0 && !isOwn) return null;
  return (
    <dl class="facts-list">
      {freeze && (
        <Fact term="freeze">
          <strong class="badge">▲ everything is frozen</strong>
          {` ${until(freeze.until)}, by ${freeze.by}${freeze.reason === "" ? "" : `: “${freeze.reason}”`}`}
        </Fact>
      )}
      {window && <Fact term="window">{`no raise ${until(window.until)}: ${window.reason}`}</Fact>}
      {deadline && isOwn && (
        <Fact term="deadline">{`${figures.day(deadline.at, state.at)}, ${deadline.reason}`}</Fact>
      )}
      {schedule.map(({ id, percent, cohort, at, by, reason }) => (
        <Fact term={figures.day(at, state.at)} key={id}>
          {`${cohort === undefined ? "" : `${cohort} `}${figures.percent(percent)}, by ${by}: “${reason}”`}
        </Fact>
      ))}
    </dl>
  );
}

interface ShownPlan extends ShownOne {
  readonly plan: PlanView;
}

function Planned(shown: ShownPlan) {
  const { plan, figures, state } = shown;
  const { status, because, by, reason, startedAt, waiting, next, evidence, legacy } = plan;
  const ago = startedAt === null ? "" : ` ${agoText(Date.parse(state.at) - Date.parse(startedAt))}`;
  const told = because === "" ? "" : `: ${momentsIn(because, figures, state.at)}`;
  return (
    <>
      <p class={status === "paused" || status === "ended" ? "note loud" : "note"}>
        {`${status === "not started" ? "Not started" : `The plan ${statusWords[status]}`}${told}`}
        {by === null ? "" : ` – started by ${by}${ago}: “${reason ?? ""}”`}
      </p>
      <Steps {...shown} />
      <dl class="facts-list">
        {next !== null && status === "running" && (
          <Fact term={`${figures.percent(next)} waits for`}>
            {waiting.length === 0 ? "nothing: it is due" : <Waits {...shown} />}
          </Fact>
        )}
        {evidence !== null && <Fact term="evidence">{evidence}</Fact>}
        {legacy !== null && <Fact term="way back">{legacy}</Fact>}
        <Finish {...shown} />
      </dl>
    </>
  );
}

const statusWords = {
  none: "is none",
  "not started": "is not started",
  running: "runs",
  paused: "is paused",
  done: "is done",
  ended: "has ended",
} as const satisfies Record<PlanView["status"], string>;

function Fact({ term, children }: { readonly term: string; readonly children: preact.ComponentChildren }) {
  return (
    <div>
      <dt>{term}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** Done, now and to come, each in a word and a shape. */
function Steps({ plan, figures, state }: ShownPlan) {
  const soonest = new Map((plan.projection?.steps ?? []).map((step) => [step.percent, step]));
  const made = new Map(plan.done.map((step) => [step.percent, step]));
  return (
    <ol class="steps">
      {plan.steps.map((percent) => {
        const at = soonest.get(percent)?.at;
        const done = made.get(percent);
        if (percent === plan.percent) {
          return (
            <Step key={percent} kind="now" mark="▲" word="now" percent={figures.percent(percent)}>
              {`for ${spanText(plan.stoodSeconds * 1000)} of ${spanText(plan.dwellSeconds * 1000)}`}
            </Step>
          );
        }
        if (percent < plan.percent) {
          return (
            <Step key={percent} kind="done" mark="✓" word="done" percent={figures.percent(percent)}>
              {done === undefined ? "" : figures.day(done.at, state.at)}
            </Step>
          );
        }
        return (
          <Step
            key={percent}
            kind={percent === plan.next ? "next" : "later"}
            mark="◇"
            word={percent === plan.next ? "next" : "later"}
            percent={figures.percent(percent)}
          >
            {at === undefined ? "" : figures.day(at, state.at)}
          </Step>
        );
      })}
    </ol>
  );
}

interface StepProps {
  readonly kind: string;
  readonly mark: string;
  readonly word: string;
  readonly percent: string;
  readonly children: string;
}

function Step({ kind, mark, word, percent, children }: StepProps) {
  return (
    <li class={kind} {...(kind === "now" ? { "aria-current": "step" as const } : {})}>
      <strong>
        <span aria-hidden="true">{mark}</span> {percent}
      </strong>
      <span>{word}</span>
      <span class="when">{children}</span>
    </li>
  );
}

function Waits({ plan, figures, state }: ShownPlan) {
  return (
    <ul>
      {plan.waiting.map(({ gate, text, secondsLeft }) => (
        <li key={gate + text}>
          <strong>{gate}</strong>
          {`: ${momentsIn(text, figures, state.at)}`}
          {secondsLeft === null ? "" : `, ${spanText(secondsLeft * 1000)} to go`}
        </li>
      ))}
    </ul>
  );
}

function Finish({ plan, figures, state }: ShownPlan) {
  const { projection, deadline } = plan;
  if (projection === null && deadline === null) return null;
  const { finish = null, isMeasured = false, against = null, costliest = null } = projection ?? {};
  const soonest = isMeasured ? "" : ", at the soonest: how fast evidence comes is not known yet";
  const isBad = against === "tight" || against === "cannot be met";
  return (
    <>
      {projection !== null && (
        <Fact term="finish">
          {finish === null
            ? "never: no moment is open, or the steps end below 100%"
            : `${figures.day(finish, state.at)}${soonest}`}
        </Fact>
      )}
      {deadline !== null && (
        <Fact term="deadline">
          {`${figures.day(deadline.at, state.at)}, ${deadline.reason}: `}
          <strong class={isBad ? "badge" : ""}>{`${isBad ? "▲ " : ""}${against ?? "not known"}`}</strong>
        </Fact>
      )}
      {costliest !== null && costliest.costs !== "nothing" && (
        <Fact term="costliest">
          {`the step to ${figures.percent(costliest.percent)}: ${spanText(costliest.takesSeconds * 1000)} for its ${costliest.costs}`}
        </Fact>
      )}
    </>
  );
}

/** Opens the dialog that asks for a reason. */
function PlanButton({ state, ui, deeds, view, plan }: ShownPlan) {
  const { status } = plan;
  const mayStart = status === "not started" || status === "paused";
  if (!ui.isLive || !mayDo(state, "operator") || !(mayStart || status === "running")) return null;
  if (mayStart && view.state !== "open") return null;
  return (
    <button
      type="button"
      id="change-plan"
      class="secondary"
      onClick={() => deeds.open(status === "running" ? "pause_plan" : "start_plan")}
    >
      {status === "running" ? "Pause the plan…" : status === "paused" ? "Go on with it…" : "Start the plan…"}
    </button>
  );
}
