/** What Redis announces: each change with what it was made from, and from which server it was heard. */
import { afterEach, expect, test } from "vitest";
import { end, openConnection } from "../../src/redis/connection.ts";
import { parseRedisUrl } from "../../src/redis/url.ts";
import type { Announcement } from "../../src/state/rules/succession.ts";
import type { Store } from "../../src/state/store/port.ts";
import { applyAll, setTo } from "../support/commands.ts";
import { failing, until } from "./redis-failing.ts";

const given = failing();
afterEach(() => given.end());

async function listenTo(store: Store): Promise<readonly (Announcement | undefined)[]> {
  const heard: (Announcement | undefined)[] = [];
  store.subscribe((announced) => heard.push(announced));
  await until("the subscription", () => heard.length > 0);
  return heard;
}

test("the channel tells each change with its parent; a message by hand tells nothing", async () => {
  const redis = await given.server();
  const writer = given.storeAt(redis.url);
  const heard = await listenTo(given.storeAt(redis.url));
  const first = await applyAll(writer, "checkout", [setTo(40.5)]);
  const second = await applyAll(writer, "checkout", [{ action: "rollback_hard" }]);
  await redis.cli("PUBLISH", "cutover:changes", "checkout");
  await until("all messages", () => heard.length === 4);
  const position = ({ percentThousandths, state, pinEpoch, version, updatedAt }: typeof first) => ({
    percentThousandths,
    state,
    pinEpoch,
    version,
    updatedAt,
  });
  expect(heard[1]).toMatchObject({ name: "checkout", from: { version: 0 }, state: first, isSure: true });
  expect(heard[2]).toEqual({ name: "checkout", from: position(first), state: second, isSure: true });
  expect(heard[3]).toBeUndefined();
});

test("a subscription is sure only of what the server tells that the commands go to", async () => {
  const [redis, other] = [await given.server(), await given.server()];
  const lines = [redis, other].map(({ url }) => {
    const place = parseRedisUrl(url);
    if (place === undefined) throw new Error("no place");
    return openConnection(place);
  });
  const [line, foreign] = lines;
  const subscribers = lines.map((each) => each.subscriber());
  const [own, strange] = subscribers;
  if (line === undefined || foreign === undefined || own === undefined || strange === undefined)
    throw new Error("no line");
  await until(
    "the connections",
    () => lines.every((each) => each.isOpen()) && subscribers.every(({ status }) => status === "ready"),
  );
  expect([line.isFromServer(own), line.isFromServer(strange), foreign.isFromServer(strange)]).toEqual([
    true,
    false,
    true,
  ]);
  await redis.kill();
  await until("the loss", () => !line.isOpen());
  expect(line.isFromServer(own)).toBe(false);
  await Promise.all([...lines.map((each) => each.end()), ...subscribers.map(end)]);
});
