/** What a person sets off, from the tap to what came of it. Nothing is sent while something is on its way. */
import type { ProposalView, WriteAnswer, WriteOfAll } from "../../admin/api/write.ts";
import { type ConsoleState, chosenOf, mayDo, type PageNotice } from "../state.ts";
import type { Deeds, Ui } from "../ui.ts";
import { createFigures } from "../words/figures.ts";
import { nextOffered } from "../words/friction.ts";
import { allNotice, doneNotice, refusedNotice, unreachableNotice } from "../words/outcome.ts";
import type { ApiCalls, Called } from "./calls.ts";

/** A tap that opened the sheet is not taken for the one that sends. */
const deadMs = 400;
const toastMs = 10_000;

export interface Stage {
  state(): ConsoleState;
  ui(): Ui;
  show(change: Partial<Ui>): void;
  setState(change: (state: ConsoleState) => ConsoleState): void;
  /** The history and the instances are told anew. */
  renew(): void;
  /** Nobody is signed in any more: it is asked who is. */
  signedOut(note: string): void;
}

type Lowering = Pick<Deeds, "rollBack" | "rollBackAll" | "hold" | "holdAll" | "undo">;
type Raising = Pick<Deeds, "resume" | "raise" | "changePlan" | "approve" | "withdraw">;
type Opening = Pick<Deeds, "open" | "close" | "aim">;

export function createDeeds(stage: Stage, calls: ApiCalls): Lowering & Raising & Opening {
  const sender = createSender(stage);
  return { ...opening(stage), ...lowering(stage, calls, sender), ...raising(stage, calls, sender) };
}

type Sender = ReturnType<typeof createSender>;

/** One call after the other, and what each comes to. */
function createSender(stage: Stage) {
  let toastTimer: ReturnType<typeof setTimeout> | undefined;
  const figures = () => createFigures(stage.state().page.locale, stage.state().zone);

  function toast(text: string, undo?: WriteAnswer): Partial<Ui> {
    clearTimeout(toastTimer);
    toastTimer = setTimeout(() => stage.show({ toast: undefined }), toastMs);
    return { toast: { text, undo } };
  }

  return {
    figures,
    toast,
    told: (answer: WriteAnswer) => doneNotice(answer, figures(), stage.state().at),

    /** The cutover that is shown, and the path of its calls. */
    chosen(): { readonly name: string; readonly path: string } {
      const name = chosenOf(stage.state())?.name ?? "";
      return { name, path: `api/v1/cutovers/${encodeURIComponent(name)}` };
    },

    /** @param command what does the same from a terminal */
    async send<T>(
      call: () => Promise<Called<T>>,
      command: string,
      done: (answer: T) => Partial<Ui>,
    ): Promise<void> {
      if (stage.ui().isSending) return;
      stage.show({ isSending: true, outcome: undefined });
      const called = await call();
      if (called.kind === "answered") stage.show({ isSending: false, ...done(called.answer) });
      else if (called.kind === "refused" && called.status === 401) {
        stage.show({ isSending: false });
        return stage.signedOut("Not applied: your session has ended. Sign in again.");
      } else {
        const failed = called.kind === "refused" ? refusedNotice(called.refusal) : unreachableNotice(command);
        const text = [failed.text, ...failed.details].join(" ");
        const isShown = stage.ui().sheet !== undefined;
        stage.show({ isSending: false, ...(isShown ? { outcome: failed } : toast(text)) });
      }
      stage.renew();
    },
  };
}

function opening(stage: Stage): Opening {
  let deadTimer: ReturnType<typeof setTimeout> | undefined;
  return {
    open(sheet) {
      if (stage.ui().sheet === sheet) return;
      const view = chosenOf(stage.state());
      const next = view === undefined ? undefined : nextOffered(stage.state(), view);
      clearTimeout(deadTimer);
      deadTimer = setTimeout(() => stage.show({ isDead: false }), deadMs);
      const target = next === undefined || next.kind === "none" ? "" : String(next.to);
      stage.show({ sheet, isDead: true, outcome: undefined, onVersion: view?.version, target });
    },
    close: () => stage.show({ sheet: undefined, outcome: undefined }),
    aim: (target) => stage.show({ target }),
  };
}

function lowering(stage: Stage, calls: ApiCalls, { send, chosen, told, toast, figures }: Sender): Lowering {
  return {
    rollBack(reason) {
      if (stage.ui().isDead) return;
      const { name, path } = chosen();
      const body = reason === "" ? {} : { reason };
      const call = () => calls.send<WriteAnswer>("POST", `${path}/rollback`, body);
      void send(call, `cutover rollback ${name}`, (answer) => ({ outcome: told(answer) }));
    },
    rollBackAll() {
      if (stage.ui().isDead) return;
      const call = () => calls.send<readonly WriteOfAll[]>("POST", "api/v1/rollback", {});
      void send(call, "cutover rollback --all", (answers) => ({ outcome: allNotice(answers) }));
    },

    hold() {
      const { name, path } = chosen();
      const call = () => calls.send<WriteAnswer>("POST", `${path}/hold`, {});
      void send(call, `cutover hold ${name}`, (answer) => {
        const text = `Held at ${figures().percent(answer.percent)} (v${answer.version})`;
        const mayUndo = answer.changed && mayDo(stage.state(), "operator");
        return toast(text, mayUndo ? answer : undefined);
      });
    },

    holdAll() {
      const call = () => calls.send<readonly WriteOfAll[]>("POST", "api/v1/hold", {});
      void send(call, "cutover hold --all", (answers) => {
        const { text, details } = allNotice(answers);
        return toast([text, ...details].join(". "));
      });
    },

    undo() {
      const { name, path } = chosen();
      const held = stage.ui().toast?.undo;
      if (held === undefined) return;
      const body = { reason: "undone", ifVersion: held.version };
      const call = () => calls.send<WriteAnswer>("POST", `${path}/resume`, body);
      void send(call, `cutover resume ${name} --reason undone`, (answer) =>
        toast(`Resumed (v${answer.version})`),
      );
    },
  };
}

function raising(stage: Stage, calls: ApiCalls, { send, chosen, told, toast, figures }: Sender): Raising {
  const proposed = ({ percent, id }: ProposalView): PageNotice => ({
    kind: "done",
    text: `Proposed: ${figures().percent(percent)} waits for another person`,
    details: [`cutover approve ${chosen().name} ${id}`],
  });
  return {
    resume(reason) {
      const { name, path } = chosen();
      const body = { reason, ...onVersion(stage.ui()) };
      const call = () => calls.send<WriteAnswer>("POST", `${path}/resume`, body);
      void send(call, `cutover resume ${name} --reason "…"`, (answer) => ({ outcome: told(answer) }));
    },

    raise(percent, reason) {
      const { name, path } = chosen();
      const body = { percent, reason, ...onVersion(stage.ui()) };
      const call = () => calls.send<WriteAnswer | ProposalView>("PUT", `${path}/percent`, body);
      void send(call, `cutover set ${name} ${percent} --reason "…"`, (answer) => {
        return { outcome: "applied" in answer ? told(answer) : proposed(answer) };
      });
    },

    changePlan(does, reason) {
      const { name, path } = chosen();
      const call = () => calls.send<WriteAnswer | ProposalView>("POST", `${path}/plan/${does}`, { reason });
      void send(call, `cutover plan ${name} ${does} --reason "…"`, (answer) => {
        if (!("applied" in answer)) return { outcome: proposed(answer) };
        const text = does === "start" ? "The plan runs" : "The plan is paused";
        return { outcome: { kind: "done", text, details: [] } };
      });
    },

    approve(id) {
      const { name, path } = chosen();
      const call = () =>
        calls.send<WriteAnswer>("POST", `${path}/proposals/${encodeURIComponent(id)}/approve`, {});
      void send(call, `cutover approve ${name} ${id}`, (answer) =>
        toast(`Approved: ${figures().percent(answer.percent)} (v${answer.version})`),
      );
    },

    withdraw(id) {
      const { name, path } = chosen();
      const call = () => calls.send<undefined>("DELETE", `${path}/proposals/${encodeURIComponent(id)}`);
      void send(call, `cutover withdraw ${name}`, () => toast("Withdrawn"));
    },
  };
}

/** What was reviewed: a change in between is answered with a conflict. */
function onVersion({ onVersion: version }: Ui): { readonly ifVersion?: number } {
  return version === undefined ? {} : { ifVersion: version };
}
