/**
 * Learns which side made an order: the keys in a response are recorded as owned by the side that answered,
 * before the client is told of them, so that no request that names the order can come too early.
 *
 * What the request itself names is never learned: it was made before, or somebody would like to have it.
 *
 * Looked at are 2xx and 3xx answers on the routes that learn. A body that is JSON, whatever its type says, or a form is
 * buffered up to 64 KiB for it; a larger one goes on and gives no key. A Location counts where it leads to this host and names the order as a route's path does.
 */
import { isInBody } from "../../config/values/source.ts";
import { placedIn } from "../../decide/route.ts";
import { fieldValue, longestText, type RequestView, readKey, segmentKey } from "../../decide/sources.ts";
import type { OwnerKey } from "../../ownership/port.ts";
import type { Tap } from "../relay/relay.ts";
import type { CompiledCutover } from "../routes.ts";
import { type Recorded, recordNotice } from "../settle.ts";
import type { ResponseHead, ResponseSink } from "../upstream/port.ts";
import type { Decided } from "../witness.ts";
import type { Arrival } from "./arrival.ts";
import { bodyValues, bufferLimit } from "./buffered-body.ts";
import { ownerKey } from "./gather.ts";
import { pathOfLocation } from "./target.ts";

interface Answered {
  readonly head: ResponseHead;
  readonly names: readonly string[];
}

/** What was asked: where a Location begins from. */
type Asked = Pick<Arrival, "host" | "target">;

/** A tap that passes an answer on once the keys in it are recorded. @param by what the request was decided by */
export function learning(exchange: Recorded, asked: Asked, cutover: CompiledCutover, by: Decided): Tap {
  return (sink, resume) => learningSink(exchange, asked, cutover, by, sink, resume);
}

function learningSink(
  exchange: Recorded,
  asked: Asked,
  cutover: CompiledCutover,
  { decision: { side }, named }: Decided,
  sink: ResponseSink,
  resume: () => void,
): ResponseSink {
  const { fieldNames, ownership } = exchange.context;
  const sources = cutover.owners.flatMap(({ learn }) => learn ?? []);
  const wantsBody = sources.some(isInBody);
  const takesAny = sources.some(({ kind }) => kind === "body");
  /** buffering: collects a body that a key may be in; recording: waits for the record; passing: out of the way. */
  let mode: "buffering" | "recording" | "passing" = "passing";
  let answered: Answered | undefined;
  let chunks: Buffer[] = [];
  let length = 0;
  let finish: (() => void) | undefined;
  /** Whether more is wanted at once. */
  let flowing = false;

  const release = () => {
    mode = "passing";
    if (answered !== undefined) sink.head(answered.head);
    flowing = true;
    for (const chunk of chunks) flowing = sink.data(chunk);
    chunks = [];
    if (finish !== undefined) finish();
    else if (flowing) resume();
  };
  const record = (response: Answered, content: Buffer | undefined) => {
    const keys = learnedKeys(exchange, asked, cutover, response, content).filter(
      ({ key }) => !named.has(key),
    );
    if (keys.length === 0) return release();
    mode = "recording";
    ownership.learn(cutover.name, keys, side).then(release, release);
  };

  return {
    interim: (head) => sink.interim(head),
    head(head) {
      if (head.status < 200 || head.status >= 400) return sink.head(head);
      answered = { head, names: fieldNames.of(head.fields) };
      if (wantsBody && !isStream(answered)) mode = "buffering";
      else record(answered, undefined);
    },
    data(chunk) {
      if (mode === "passing") return sink.data(chunk);
      chunks.push(chunk);
      length += chunk.length;
      if (mode === "recording") return false;
      const isPromising =
        length > chunk.length || takesAny || answered === undefined || mayBeRead(answered, chunk);
      if (isPromising && length <= bufferLimit) return true;
      if (answered !== undefined) record(answered, undefined);
      return flowing;
    },
    end(trailers) {
      if (mode === "passing") return sink.end(trailers);
      finish = () => sink.end(trailers);
      if (mode === "buffering" && answered !== undefined) record(answered, Buffer.concat(chunks, length));
    },
    failure(failure) {
      if (mode === "passing") return sink.failure(failure);
      finish = () => sink.failure(failure);
      // The body broke off, but the head may name what was made.
      if (mode === "buffering" && answered !== undefined) record(answered, undefined);
    },
  };
}

/** What is read as it comes: kept back, it would be late or never whole. */
function isStream({ head, names }: Answered): boolean {
  return /^(?:text\/event-stream|multipart\/(?!form-data)|(?:image|audio|video|font)\/|application\/(?:x-ndjson|json-seq|grpc))/i.test(
    fieldValue(head.fields, names, "content-type") ?? "",
  );
}

/**
 * Whether the body may be JSON or a form: servers send JSON as text/html or without a type, so its first octets are looked
 * at. A page goes on at once.
 */
function mayBeRead({ head, names }: Answered, first: Buffer): boolean {
  const type = fieldValue(head.fields, names, "content-type") ?? "";
  if (/[/+]json\b|form-data|form-urlencoded/i.test(type) || names.includes("content-encoding")) return true;
  return /^(?:\xef\xbb\xbf)?\s*(?:[{[]|$)/.test(first.toString("latin1", 0, 64));
}

function learnedKeys(
  exchange: Recorded,
  { host, target }: Asked,
  cutover: CompiledCutover,
  { head, names }: Answered,
  content: Buffer | undefined,
): OwnerKey[] {
  const type = fieldValue(head.fields, names, "content-type");
  const coding = fieldValue(head.fields, names, "content-encoding");
  const body = content === undefined ? {} : bodyValues(content, type, coding);
  const view: RequestView = {
    fields: head.fields,
    fieldNames: names,
    query: "",
    paramNames: [],
    paramValues: [],
    ...(typeof body === "string" ? {} : body),
  };
  const keys = new Map<string, OwnerKey>();
  for (const owner of cutover.owners) {
    for (const source of owner.learn ?? []) {
      let key = readKey(source, view);
      if (source.kind === "header" && source.name === "location") {
        const path = pathOfLocation(fieldValue(head.fields, names, "location") ?? "", host, target.path);
        if (path === undefined) continue;
        if (source.pattern === undefined) {
          const segment = placedIn(owner.places, path);
          key = segment && segmentKey(segment);
        }
      }
      if (key === undefined) continue;
      if (key.length > longestText) recordNotice(exchange, { kind: "long_key" });
      else keys.set(key, ownerKey(owner, key));
    }
  }
  return [...keys.values()];
}
