/** Lists, which a worker loads from its primary: of every store alike, and also while the store is away. */
import { StoreUnavailable } from "../../base/errors.ts";
import type { ListKeeper } from "../../lists/keeper.ts";
import type { ListSource } from "../../lists/port.ts";
import type { Link } from "./link.ts";
import type { StoreQuestion, StoreReply } from "./messages.ts";

type ListQuestion = Extract<StoreQuestion, { call: "list_stamps" | "list_parts" | "list_part" }>;

/** No request waits for a list: on a host that has much to do, what comes late is what was asked for all the same. */
const replyWithinMs = 5000;

/** @param send rejects with StoreUnavailable when no reply comes in time */
export function askingLists(send: Link["ask"]): ListSource {
  async function numbers(question: ListQuestion): Promise<readonly number[]> {
    const reply = await send(question, replyWithinMs);
    if (reply.kind !== "numbers") throw new StoreUnavailable("the primary does not tell of lists");
    return reply.numbers;
  }
  return {
    stamps: (names) => numbers({ call: "list_stamps", names: [...names] }),
    parts: (name) => numbers({ call: "list_parts", name }),
    async part(name, at) {
      const reply = await send({ call: "list_part", name, at }, replyWithinMs);
      if (reply.kind !== "list_part") throw new StoreUnavailable("the primary does not tell of lists");
      return { stamp: reply.stamp, bytes: Buffer.from(reply.text, "base64") };
    },
  };
}

export function isListQuestion(question: StoreQuestion): question is ListQuestion {
  return question.call === "list_stamps" || question.call === "list_parts" || question.call === "list_part";
}

/** @param lists what the primary has loaded; while it has not, that nobody is on them would be no answer */
export async function answerOfLists(
  lists: ListSource & Pick<ListKeeper, "hasTried">,
  question: ListQuestion,
): Promise<StoreReply> {
  if (!lists.hasTried()) return { kind: "unavailable" };
  switch (question.call) {
    case "list_stamps":
      return { kind: "numbers", numbers: [...(await lists.stamps(question.names))] };
    case "list_parts":
      return { kind: "numbers", numbers: [...(await lists.parts(question.name))] };
    case "list_part": {
      const { stamp, bytes } = await lists.part(question.name, question.at);
      return { kind: "list_part", stamp, text: bytes.toString("base64") };
    }
  }
}
