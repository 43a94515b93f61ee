/** What was changed, by whom and why, newest first; a row has a link. */
import type { HistoryEntryView } from "../../admin/api/history-view.ts";
import { toldOf } from "../state.ts";
import type { ShownOne } from "./shown.tsx";

const names: Readonly<Record<string, string>> = {
  set: "set",
  rollback: "rolled back",
  rollback_hard: "rolled back, hard",
  hold: "held",
  resume: "resumed",
  close: "closed",
  maintain: "maintenance",
  out_of_band: "by hand",
  local: "on one instance",
  reconciled: "taken over",
};

export function HistoryTable({ state, view, figures }: ShownOne) {
  const { history } = toldOf(state, view.name);
  return (
    <section aria-labelledby="history">
      <h2 id="history">History</h2>
      {history === undefined || history.length === 0 ? (
        <p class="note">{noneText(view.version, history !== undefined)}</p>
      ) : (
        <section class="wide" tabIndex={0} aria-labelledby="history">
          <table>
            <thead>
              <tr>
                <th scope="col">when</th>
                <th scope="col">who</th>
                <th scope="col">change</th>
                <th scope="col">reason</th>
                <th scope="col">via</th>
                <th scope="col">result</th>
              </tr>
            </thead>
            <tbody>
              {history.map((entry) => (
                <tr key={`${entry.version} ${entry.at}`} id={`v${entry.version}`}>
                  <th scope="row">
                    <a href={`#v${entry.version}`}>
                      <time dateTime={entry.at}>{figures.moment(entry.at, state.at)}</time>
                    </a>
                  </th>
                  <td>{entry.by}</td>
                  <td>{changeText(entry, figures)}</td>
                  <td class="reason">{reasonText(entry)}</td>
                  <td>{entry.via ?? "–"}</td>
                  <td>{`v${entry.version}`}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
    </section>
  );
}

function noneText(version: number, isTold: boolean): string {
  if (version === 0) return "Nothing was changed yet.";
  return isTold ? "The store has kept no record of the changes." : "The store has not told it yet.";
}

function changeText({ action, from, to }: HistoryEntryView, figures: ShownOne["figures"]): string {
  const name = names[action] ?? action;
  if (from.percent !== to.percent) {
    return `${name} (${figures.percent(from.percent)} → ${figures.percent(to.percent)})`;
  }
  return from.state === to.state ? name : `${name} (${from.state} → ${to.state})`;
}

function reasonText({ reason, annotations }: HistoryEntryView): string {
  const later = annotations.map((each) => `later by ${each.by}: “${each.reason}”`);
  return [...(reason === "" ? ["–"] : [`“${reason}”`]), ...later].join("; ");
}
