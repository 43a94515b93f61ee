/**
 * The requests of one connection, one after another. What is pipelined waits for the answer before it: an upstream
 * must not see a request before one it may depend on (RFC 9112 §9.3.2). Nothing is read behind the last request of a
 * connection (§9.6), nor behind what cannot be read.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";

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

export interface Pipelining {
  /** Calls `begin` when all before it is answered; never, when the connection ends first. */
  take(request: IncomingMessage, response: ServerResponse, begin: (pipelined: Pipelined) => void): Pipelined;
  /**
   * The parser gives the connection up: inside the body of the latest request, or at the head of another.
   *
   * @param peerEnded whether it is only that no more will come
   * @param refuse called when a refusal is next to be written on the connection
   */
  giveUp(socket: Socket, peerEnded: boolean, refuse: () => void): void;
  /**
   * All that was asked on the connection is answered. One that is kept may stay idle for long, and keeps nothing of what
   * went before.
   */
  answered(socket: Socket): void;
}

export function createPipelining(): Pipelining {
  /** The latest of each connection, unless that is over and what comes next need not know of it. */
  const latest = new WeakMap<Socket, { pipelined: Pipelined | undefined }>();
  return {
    take(request, response, begin) {
      const { socket } = request;
      const pipelined: Pipelined = { request, response, answer: undefined, refuse: undefined };
      const known = latest.get(socket);
      const before = known?.pipelined?.response;
      if (known === undefined) latest.set(socket, { pipelined });
      else known.pipelined = pipelined;
      if (before === undefined || before.writableFinished) next(pipelined, before, begin);
      else before.once("close", () => next(pipelined, before, begin));
      return pipelined;
    },
    giveUp(socket, peerEnded, refuse) {
      const pipelined = latest.get(socket)?.pipelined;
      if (pipelined === undefined) refuse();
      else if (pipelined.request.complete) {
        const { response } = pipelined;
        if (!response.shouldKeepAlive) return;
        if (response.writableFinished) refuse();
        else if (pipelined.refuse === undefined) {
          // Said again with each packet that still comes.
          pipelined.refuse = refuse;
          response.once("close", refuse);
        }
      } else if (peerEnded) socket.destroy();
      else if (pipelined.answer === undefined) pipelined.refuse = refuse;
      else pipelined.answer.breakOff();
    },
    answered(socket) {
      const known = latest.get(socket);
      if (known?.pipelined === undefined) return;
      const { request, response } = known.pipelined;
      if (request.complete && response.shouldKeepAlive && response.writableFinished)
        known.pipelined = undefined;
    },
  };
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
