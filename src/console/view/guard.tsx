/** What the guard rests its verdict on: its tests, whose counts they are, and what is missing of them. */
import type { GuardView } from "../../admin/api/guard/guard-view.ts";
import { toldOf } from "../state.ts";
import { Heads, type ShownOne } from "./shown.tsx";

export function GuardSection(shown: ShownOne) {
  const { state, view } = shown;
  const { guard } = toldOf(state, view.name);
  if (guard === undefined) return null;
  return (
    <section aria-labelledby="guard">
      <h2 id="guard">Guard</h2>
      {guard.guarded ? (
        <Judgement {...shown} guard={guard} />
      ) : (
        <p class="note loud">
          Off: this cutover has no guard. Nothing compares the two sides, and nothing rolls back by itself.
        </p>
      )}
    </section>
  );
}

function Judgement({ guard, state, figures, view }: ShownOne & { readonly guard: GuardView }) {
  const { sentence, verdict, action, by, at, leader, silent, differing, metrics, evidence } = guard;
  const counts =
    by === null
      ? "Judged by nobody just now"
      : by === "fleet"
        ? `By the counts of all instances, judged by ${leader?.name ?? "one of them"}`
        : "By the counts of this instance alone";
  const when = at === null ? "" : ` at ${figures.moment(at, state.at)}`;
  return (
    <>
      <p>
        <strong>{verdict ?? "not judged"}</strong>
        {`: ${sentence}`}
        {action === null ? "" : ` – what follows: ${action}`}
      </p>
      {evidence !== null && <Tests {...evidence} figures={figures} />}
      {evidence?.payments && <Payments {...evidence.payments} {...{ view, figures }} />}
      {metrics.length > 0 && (
        <ul>
          {metrics.map((metric) => (
            <li key={metric.name} class={metric.state === "worse" ? "note loud" : "note"}>
              <strong>{metric.name}</strong>
              {` ${metric.state}: ${metric.sentence}`}
            </li>
          ))}
        </ul>
      )}
      <p class="note">{`${counts}${when}.`}</p>
      {silent.length > 0 && (
        <p class="note loud">{`▲ Without the counts of ${silent.join(", ")}: blind for them.`}</p>
      )}
      {differing.length > 0 && (
        <p class="note loud">{`▲ Configured otherwise on ${differing.join(", ")}.`}</p>
      )}
    </>
  );
}

type Evidence = NonNullable<GuardView["evidence"]>;

const names: Readonly<Record<string, string>> = {
  failures: "new fails more often",
  tooMany: "new fails too often",
  tooManyOnLegacy: "legacy fails too often",
  paid: "new is paid less often",
  slow: "new is slower",
};

type PaymentsProps = NonNullable<Evidence["payments"]> & Pick<ShownOne, "view" | "figures">;

function Payments({ legacy, new: onNew, wouldBePaid, view, figures }: PaymentsProps) {
  const side = (name: string, { begun, paid, of100 }: PaymentsProps["new"]) =>
    `${name} ${of100 === null ? "–" : figures.rate(of100 / 100)} (${figures.count(paid)} of ${figures.count(begun)})`;
  return (
    <p>
      {`Journeys paid: ${side(view.legacy, legacy)}, ${side(view.new, onNew)}; at ${view.legacy}’s pace ${figures.count(Math.round(wouldBePaid))} would be.`}
    </p>
  );
}

/** A bar by orders of magnitude: full is where the test acts. */
function Tests({ tests, figures }: Evidence & Pick<ShownOne, "figures">) {
  const oddsOf = (of: number) => (of < 0.1 ? "below 0.1" : of >= 1e6 ? "over a million" : figures.odds(of));
  return (
    <section class="wide" tabIndex={0} aria-labelledby="guard">
      <table>
        <thead>
          <tr>
            <Heads names={["test", "odds", "acts at", "how far"]} />
          </tr>
        </thead>
        <tbody>
          {Object.entries(tests).map(([name, { odds, actsAt, hasFired }]) => (
            <tr key={name} class={hasFired ? "odd" : ""}>
              <th scope="row">{names[name] ?? name}</th>
              <td>{`${oddsOf(odds)} to 1`}</td>
              <td>{`${oddsOf(actsAt)} to 1`}</td>
              <td>{hasFired ? "▲ found" : <Way part={wayOf(odds, actsAt)} />}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Way({ part }: { readonly part: number }) {
  const percent = `${Math.round(part * 100)}%`;
  return (
    <span class="way">
      <svg width="96" height="8" aria-hidden="true">
        <rect class="way-ground" width="96" height="8" />
        <rect class="way-gone" width={96 * part} height="8" />
      </svg>{" "}
      {percent}
    </span>
  );
}

function wayOf(odds: number, actsAt: number): number {
  if (odds <= 1 || actsAt <= 1) return 0;
  return Math.min(1, Math.log(odds) / Math.log(actsAt));
}
