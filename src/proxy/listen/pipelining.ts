/**
 * The requests of one connection, one after another. What is pipelined waits for the answer before it: an upstream
 * must not see a request before one it may depend on (RFC 9112 §9.3.2). Nothing is read behind the last request of a
 * connection (§9.6), nor behind what can not be read.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** The answer of a turn that has begun. */
interface Begun {
  /** Its request can not be read to its end. */
  breakOff(): void;
  closed(): void;
}

/** One request of a connection and the answer to it. */
export interface Turn {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Set once begun. */
  answer: Begun | undefined;
  /** Set where it, or what is behind it, was found unreadable before it was that one's turn: refuses it then. */
  refuse: (() => void) | undefined;
}

export interface Turns {
  /** Calls `begin` when all before it is answered; never, when the connection ends first. */
  take(request: IncomingMessage, response: ServerResponse, begin: (turn: Turn) => void): Turn;
  /**
   * The parser gives the connection up: inside the body of the latest request, or at the head of another.
   *
   * @param peerEnded whether it is only that no more will come
   * @param refuse called when a refusal is next to be written on the connection
   */
  giveUp(socket: Socket, peerEnded: boolean, refuse: () => void): void;
  /**
   * All that was asked on the connection is answered. One that is kept may stay idle for long, and holds nothing of what
   * went before.
   */
  answered(socket: Socket): void;
}

/** What is known of a connection. */
interface Line {
  /** Its latest turn, unless that is over and what comes next need not know of it. */
  latest: Turn | undefined;
}

export function createTurns(): Turns {
  const lines = new WeakMap<Socket, Line>();
  return {
    take(request, response, begin) {
      const { socket } = request;
      const turn: Turn = { request, response, answer: undefined, refuse: undefined };
      const line = lines.get(socket);
      const before = line?.latest?.response;
      if (line === undefined) lines.set(socket, { latest: turn });
      else line.latest = turn;
      if (before === undefined || before.writableFinished) next(turn, before, begin);
      else before.once("close", () => next(turn, before, begin));
      return turn;
    },
    giveUp(socket, peerEnded, refuse) {
      const turn = lines.get(socket)?.latest;
      if (turn === undefined) refuse();
      else if (turn.request.complete) {
        const { response } = turn;
        if (!response.shouldKeepAlive) return;
        if (response.writableFinished) refuse();
        else if (turn.refuse === undefined) {
          // Said again with each packet that still comes.
          turn.refuse = refuse;
          response.once("close", refuse);
        }
      } else if (peerEnded) socket.destroy();
      else if (turn.answer === undefined) turn.refuse = refuse;
      else turn.answer.breakOff();
    },
    answered(socket) {
      const line = lines.get(socket);
      if (line?.latest === undefined) return;
      const { request, response } = line.latest;
      if (request.complete && response.shouldKeepAlive && response.writableFinished) line.latest = undefined;
    },
  };
}

function next(turn: Turn, before: ServerResponse | undefined, begin: (turn: Turn) => void): void {
  if (turn.request.socket.destroyed || before?.shouldKeepAlive === false) return;
  if (turn.refuse === undefined) begin(turn);
  else turn.refuse();
}
