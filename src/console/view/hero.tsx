/** The first thing one reads: what share of new checkouts goes to new, whether it does, and whether that is safe. */
import type { CutoverView } from "../../admin/api/cutover-view.ts";
import { byWhom, isOfAll } from "../../admin/api/rules.ts";
import { toldOf } from "../state.ts";
import { momentsIn, spanText } from "../words/figures.ts";
import { actualPercent, partsOf } from "../words/friction.ts";
import { verdictOf } from "../words/verdict.ts";
import type { ShownOne } from "./shown.ts";

export function Hero(shown: ShownOne) {
  const { view, state, figures } = shown;
  // What another cutover holds back is not in effect.
  const inEffect = view.effectivePercent ?? view.percent;
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
      <SplitBar view={view} to={inEffect} />
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

function Facts({ view, state, figures }: ShownOne) {
  const { traffic, instances, version, updatedAt, updatedBy, reason } = view;
  const actual = actualPercent(view);
  const requests = traffic.legacy.requests + traffic.new.requests;
  const of = instances.live + instances.silent.length;
  const window = spanText(traffic.windowSeconds * 1000);
  return (
    <ul class="facts">
      <li>
        {actual === undefined
          ? `No requests in the last ${window}`
          : `Actual ${figures.rate(actual / 100)} of requests (last ${window}, ${figures.count(requests)} of them)`}
      </li>
      <li class={instances.applied < of ? "odd" : ""}>
        {`v${version} on ${instances.applied}/${of} ${of === 1 ? "instance" : "instances"}`}
        {instances.applied < of ? ": not everywhere yet" : ""}
      </li>
      <li>
        {version === 0 ? (
          "Never changed"
        ) : (
          <span>
            {"Set "}
            {byWhom(updatedBy)}{" "}
            <time dateTime={updatedAt}>
              {`${spanText(Date.parse(state.at) - Date.parse(updatedAt))} ago`}
            </time>
            {reason === "" ? ", no reason given" : `: “${reason}”`}
          </span>
        )}
      </li>
    </ul>
  );
}

/** Legacy solid, new hatched; what each is called stands below, so that nothing is cut where a part is narrow. */
export function SplitBar({ view, to }: { readonly view: CutoverView; readonly to: number }) {
  const [legacy, onNew] = partsOf({ ...view, percent: to });
  const at = 100 - to;
  return (
    <figure class="split">
      <svg width="100%" height="36" role="img" aria-label={`${legacy}, ${onNew}`}>
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
        <text class="set" x={`${Math.min(99, Math.max(1, at))}%`} y="36" text-anchor="middle">
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

function VerdictLine({ view, state, ui }: ShownOne) {
  const { guard } = toldOf(state, view.name);
  const { tone, mark, text } = verdictOf(view, guard, ui.ageMs);
  return (
    <p class={`verdict ${tone}`} id="verdict">
      <span class="sign" aria-hidden="true">
        {mark}
      </span>
      <span>{text}</span>
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
