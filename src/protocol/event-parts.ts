// What happened, as events that a log can take. What comes from flakes, from Nix and from git has no bound of its own:
// here its texts are cut and its lists are divided, so that there is nothing of which no event can tell.
import { boundedText, inEventSizes, type EventBody, type EventOf, type Source } from "./events.ts";
import { limits } from "./wire.ts";

/**
 * Characters of a text, tried one after the other until the event is small enough. The last is that of the longest
 * store path: names and paths are never cut.
 */
const textBounds = [8 * 1024, 1024, 512];
/** Bytes that are left for the envelope. */
const envelopeBytes = 1024;

/** One body as the bodies of as many events as it needs, in order. */
export function inEvents(body: EventBody): EventBody[] {
  return inParts(body).map(withShortTexts);
}

function inParts(body: EventBody): EventBody[] {
  switch (body.type) {
    case "accepted":
      return acceptedInParts(body);
    case "derivation-failed":
      // Its texts need the rest: the last lines of the log, of which each character can take six bytes.
      return withFewerHosts(body, limits.event / 4);
    case "evaluated":
    case "building":
    case "hosts-finished":
    case "retrying":
      return withFewerHosts(body);
    case "resumed":
    case "warning":
    case "finished":
    case "rejected":
      return [body];
  }
}

function withFewerHosts<Body extends EventBody & { readonly hosts: readonly object[] }>(
  body: Body,
  maxBytes?: number,
): Body[] {
  const pieces = inEventSizes(body.hosts, maxBytes);
  return pieces.length <= 1 ? [body] : pieces.map((hosts) => ({ ...body, hosts }));
}

/** Only the last part says that the inventory is complete: until then it is not. */
function acceptedInParts({ complete, ...whole }: EventOf<"accepted">): EventOf<"accepted">[] {
  const body = { ...whole, sources: fittingSources(whole.sources) };
  const entries = [...body.hosts.map((host) => ({ host })), ...body.skipped.map((skipped) => ({ skipped }))];
  const pieces = inEventSizes(entries);
  return pieces.map((piece, index) => ({
    ...body,
    hosts: piece.flatMap((entry) => ("host" in entry ? [entry.host] : [])),
    skipped: piece.flatMap((entry) => ("skipped" in entry ? [entry.skipped] : [])),
    complete: index < pieces.length - 1 ? undefined : complete,
    ...(pieces.length === 1 ? {} : { part: { number: index + 1, of: pieces.length } }),
  }));
}

/** What the inputs of many flakes are locked to may be too much for an event. No build needs it, so it is left out then. */
function fittingSources(sources: Source[]): Source[] {
  if (Buffer.byteLength(JSON.stringify(sources)) <= limits.event / 4) return sources;
  return sources.map((source) => ({ ...source, inputs: undefined }));
}

function withShortTexts(body: EventBody): EventBody {
  let bounded = body;
  for (const max of textBounds) {
    if (hasLongerText(bounded, max)) bounded = cutTexts(bounded, max);
    if (Buffer.byteLength(JSON.stringify(bounded)) <= limits.event - envelopeBytes) break;
  }
  return bounded;
}

/** Most events have none, and are not copied. */
function hasLongerText(value: unknown, max: number): boolean {
  if (typeof value === "string") return value.length > max;
  if (typeof value !== "object" || value === null) return false;
  return Object.values(value).some((inner) => hasLongerText(inner, max));
}

/** Cuts all strings of a plain value, however deep, to that many characters, except what is signed, which is bounded. */
function cutTexts<Value>(value: Value, max: number): Value {
  const cut = (inner: unknown): unknown => {
    if (typeof inner === "string") return boundedText(inner, max);
    if (Array.isArray(inner)) return inner.map(cut);
    if (typeof inner !== "object" || inner === null) return inner;
    return Object.fromEntries(
      Object.entries(inner).map(([name, field]) => [name, name === "statement" ? field : cut(field)]),
    );
  };
  return cut(value) as Value;
}
