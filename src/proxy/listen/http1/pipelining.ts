/**
 * The requests of one connection, one after another. What is pipelined waits for the answer before it: an upstream
 * must not see a request before one it may depend on (RFC 9112 §9.3.2). Nothing is read behind the last request of a
 * connection (§9.6), nor behind what cannot be read.
 */
import type { IncomingMessage, ServerResponse } from "node:http";

/** The answer to a request that has begun. */
interface Begun {
  /** Its request cannot be read to its end. */
  breakOff(): void;
  closed(): void;
}

/** One request of a connection and the answer to it. */
export interface Pipelined {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Set once begun. */
  answer: Begun | undefined;
  /** Set where it, or what is behind it, was found unreadable before it could begin: refuses it then. */
  refuse: (() => void) | undefined;
}

/** What a connection knows of its requests: on itself, since of a WeakMap each collection of new space keeps all. */
export interface InTurn {
  /** The latest, unless that is over and what comes next need not know of it. */
  latest: Pipelined | undefined;
}

/** Calls `begin` when all before it is answered; never, when the connection ends first. */
export function takeInTurn(
  connection: InTurn,
  request: IncomingMessage,
  response: ServerResponse,
  begin: (pipelined: Pipelined) => void,
): Pipelined {
  const pipelined: Pipelined = { request, response, answer: undefined, refuse: undefined };
  const before = connection.latest?.response;
  connection.latest = pipelined;
  if (before === undefined || before.writableFinished) next(pipelined, before, begin);
  else before.once("close", () => next(pipelined, before, begin));
  return pipelined;
}

/**
 * The parser gives the connection up: inside the body of the latest request, or at the head of another.
 *
 * @param peerEnded whether it is only that no more will come
 * @param refuse called when a refusal is next to be written on the connection
 */
export function giveUp({ latest }: InTurn, peerEnded: boolean, refuse: () => void): void {
  if (latest === undefined) refuse();
  else if (latest.request.complete) {
    const { response } = latest;
    if (!response.shouldKeepAlive) return;
    if (response.writableFinished) refuse();
    else if (latest.refuse === undefined) {
      // Said again with each packet that still comes.
      latest.refuse = refuse;
      response.once("close", refuse);
    }
  } else if (peerEnded) latest.request.socket.destroy();
  else if (latest.answer === undefined) latest.refuse = refuse;
  else latest.answer.breakOff();
}

/**
 * All that was asked on the connection is answered. One that is kept may stay idle for long, and keeps nothing of what
 * went before.
 */
export function forgetAnswered(connection: InTurn): void {
  if (connection.latest === undefined) return;
  const { request, response } = connection.latest;
  if (request.complete && response.shouldKeepAlive && response.writableFinished)
    connection.latest = undefined;
}

function next(
  pipelined: Pipelined,
  before: ServerResponse | undefined,
  begin: (pipelined: Pipelined) => void,
): void {
  if (pipelined.request.socket.destroyed || before?.shouldKeepAlive === false) return;
  if (pipelined.refuse === undefined) begin(pipelined);
  else pipelined.refuse();
}
