/** The first thing one reads: what share of new checkouts goes to new, whether it does, and whether that is safe. */
import type { CutoverView } from "../../admin/api/cutover-view.ts";
import { byWhom, isOfAll } from "../../admin/api/rules.ts";
import { agoText, spanText } from "../../admin/api/words/span.ts";
import { verdictOf } from "../../admin/api/words/verdict.ts";
import { toldOf } from "../state.ts";
import { momentsIn } from "../words/figures.ts";
import { actualOf, partsOf } from "../words/friction.ts";
import type { ShownOne } from "./shown.tsx";

export function Hero(shown: ShownOne) {
  const { view, state, figures } = shown;
  // What another cutover holds back is not in effect.
  const inEffect = view.effectivePercent ?? view.percent;
  const planned = plannedNext(shown);
  return (
    <section class="hero" aria-labelledby="title">
      <p class={`state ${view.state}`}>
        <strong>{view.name}</strong> <span>{stateWords[view.state]}</span>
      </p>
      <h1 id="title">
        <span class="share">{figures.percent(inEffect)}</span>
        {` of new checkouts go to ${view.new}`}
      </h1>
      <Facts {...shown} />
      <SplitBar view={view} to={inEffect} planned={planned?.percent} />
      <VerdictLine {...shown} />
      {[...view.warnings.filter(isWide), ...view.warnings.filter((each) => !isWide(each))].map(
        ({ code, text }) => (
          <p class="warning" key={code + text}>
            {momentsIn(text, figures, state.at)}
          </p>
        ),
      )}
      {view.state === "rolled_back" && (
        <p class="warning">{`New journeys go to ${view.legacy} until it is resumed.`}</p>
      )}
      {view.state === "held" && <p class="note">Nothing raises it before it is resumed.</p>}
      {view.state === "closed" && (
        <p class="note">{`${view.legacy} is closed: everything goes to ${view.new}.`}</p>
      )}
      <Remainders {...shown} />
    </section>
  );
}

const isWide = ({ code }: CutoverView["warnings"][number]) => isOfAll(code);

const stateWords = {
  open: "open",
  held: "HELD",
  rolled_back: "ROLLED BACK",
  closed: "CLOSED",
} as const satisfies Record<CutoverView["state"], string>;

function Facts(shown: ShownOne) {
  const { view, state, figures } = shown;
  const { traffic, instances, version, updatedAt, updatedBy, reason, exposure } = view;
  const planned = plannedNext(shown);
  const actual = actualOf(view);
  const of = instances.live + instances.silent.length;
  return (
    <ul class="facts">
      <li>
        {actual === undefined
          ? `No requests in the last ${spanText(traffic.windowSeconds * 1000)}`
          : `Actual ${figures.rate(actual.share)} of ${actual.what} (last ${spanText(actual.windowSeconds * 1000)}, ${figures.count(actual.all)} of them)`}
      </li>
      <li class={instances.applied < of ? "odd" : ""}>
        {`v${version} on ${instances.applied}/${of} ${of === 1 ? "instance" : "instances"}`}
        {instances.applied < of ? ": not everywhere yet" : ""}
      </li>
      {planned && (
        <li>
          <span aria-hidden="true">◇</span>
          {` Plan ${figures.percent(planned.percent)}`}
          {planned.at === undefined ? "" : ` by ${figures.day(planned.at, state.at)}`}
        </li>
      )}
      {exposure && (
        <li class={exposure.over ? "odd" : ""}>
          {`Unpaid on ${view.new} ${amountText(exposure.openAmount, shown)} of at most ${amountText(exposure.maxOpenAmount, shown)}`}
        </li>
      )}
      <li>
        {version === 0 ? (
          "Never changed"
        ) : (
          <span>
            {"Set "}
            {byWhom(updatedBy)}{" "}
            <time dateTime={updatedAt}>{agoText(Date.parse(state.at) - Date.parse(updatedAt))}</time>
            {reason === "" ? ", no reason given" : `: “${reason}”`}
          </span>
        )}
      </li>
    </ul>
  );
}

function amountText(amount: number, { view, figures }: ShownOne): string {
  const { currency = "", decimals } = view.exposure ?? {};
  return figures.money(amount, currency, decimals);
}

/** What a plan that runs makes of it next, and when at the soonest. */
function plannedNext({ state, view }: Pick<ShownOne, "state" | "view">) {
  const { plan } = toldOf(state, view.name);
  if (plan?.status !== "running" || plan.next === null || view.state !== "open") return undefined;
  const at = plan.projection?.steps.find(({ percent }) => percent === plan.next)?.at;
  return { percent: plan.next, at };
}

interface SplitBarProps {
  readonly view: CutoverView;
  readonly to: number;
  /** The plan's next step, where one is due. */
  readonly planned?: number | undefined;
}

/** Legacy solid, new hatched; what each is called stands below, so that nothing is cut where a part is narrow. */
export function SplitBar({ view, to, planned }: SplitBarProps) {
  const [legacy, onNew] = partsOf({ ...view, percent: to });
  const at = 100 - to;
  return (
    <figure class="split">
      <svg width="100%" height="38" role="img" aria-label={`${legacy}, ${onNew}`}>
        <defs>
          <pattern
            id="hatch"
            width="8"
            height="8"
            patternUnits="userSpaceOnUse"
            patternTransform="rotate(45)"
          >
            <rect class="hatch-ground" width="8" height="8" />
            <rect class="hatch-line" width="3" height="8" />
          </pattern>
        </defs>
        <rect class="of-legacy" x="0" y="0" width={`${at}%`} height="28" />
        <rect class="of-new" x={`${at}%`} y="0" width={`${to}%`} height="28" fill="url(#hatch)" />
        {planned !== undefined && (
          <text class="set" x={edgeOf(planned)} y="38" text-anchor="middle">
            ◇
          </text>
        )}
        <text class="set" x={edgeOf(to)} y="38" text-anchor="middle">
          ▲
        </text>
      </svg>
      <figcaption>
        <span class="legacy">
          <span aria-hidden="true">●</span> {legacy}
        </span>
        <span class="new">
          <span aria-hidden="true">■</span> {onNew}
        </span>
      </figcaption>
    </figure>
  );
}

/** Where the part of new begins, and a mark still fits. */
function edgeOf(percent: number): string {
  return `${Math.min(99, Math.max(1, 100 - percent))}%`;
}

function VerdictLine({ view, state, ui, figures }: ShownOne) {
  const { guard, plan } = toldOf(state, view.name);
  const { tone, mark, text } = verdictOf(view, guard, ui.ageMs, figures);
  const secondsLeft = plan?.waiting.find(({ gate }) => gate === "evidence")?.secondsLeft ?? null;
  const isToCome = tone === "unproven" && secondsLeft !== null && secondsLeft > 0;
  return (
    <p class={`verdict ${tone}`} id="verdict">
      <span class="sign" aria-hidden="true">
        {mark}
      </span>
      <span>{isToCome ? `${text}; about ${spanText(secondsLeft * 1000)} to go` : text}</span>
    </p>
  );
}

/** At 100% it is not to be seen from the share what legacy is still needed for. */
function Remainders({ view, state, figures }: ShownOne) {
  if (view.percent < 100 || view.stillLegacy.length === 0) return null;
  return (
    <div class="note">
      <p>Still to legacy:</p>
      <ul>
        {view.stillLegacy.map(({ reason, text }) => (
          <li key={reason + text}>{momentsIn(text, figures, state.at)}</li>
        ))}
      </ul>
    </div>
  );
}
