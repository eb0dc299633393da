// Answers one request with the first event of exactly one build.
import type { Clock } from "../../base/clock.ts";
import { HomelabError, internalCode, isBug, isUnavailable, messageOf, causesOf } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { hasLostEvents, type BuilderBus, type Delivery } from "../../bus/bus.ts";
import { boundedText, type EventBody, type Source } from "../../protocol/events.ts";
import type { BuilderName, BuildId, RepoName } from "../../protocol/names.ts";
import { requestDigest } from "../../protocol/request-digest.ts";
import { decodeRequest, salvageRequest, type BuildRequest } from "../../protocol/request.ts";
import { parseRequestSubject, type Target } from "../../protocol/subjects.ts";
import { derivedBuildId } from "../../protocol/ulid.ts";
import { triggerOf } from "./decide-acceptance.ts";
import { decideId } from "./decide-id.ts";
import { bugReason } from "../decide-verdicts.ts";
import type { Holdings } from "../holdings/holdings.ts";
import { UnlistedHostsError, type RequestResolver, type Resolution } from "./resolve-request.ts";
import type { BuildSource } from "../work.ts";

/** A request that was begun so often, and never became a build, never does. */
const mostDeliveries = 10;
/** Well below the time after which the server gives the request to somebody else. */
const keepMs = 20_000;

export interface RequestTakerOptions {
  readonly bus: BuilderBus;
  readonly holdings: Holdings;
  readonly resolver: RequestResolver;
  readonly builder: BuilderName;
  readonly clock: Clock;
  readonly log: Log;
  readonly requestExpiryMs: number;
}

/** With the ids of the requests that are being taken just now. */
interface Taking extends RequestTakerOptions {
  readonly resolving: Set<BuildId>;
}

/** Never rejects: a request that cannot be taken now, or is half taken when the signal aborts, goes back. */
export type TakeRequest = (delivery: Delivery, signal: AbortSignal) => Promise<void>;

export function createRequestTaker(options: RequestTakerOptions): TakeRequest {
  const resolving = new Set<BuildId>();
  return async (delivery, signal) => {
    try {
      await takeOrDrop({ ...options, resolving }, delivery, signal);
    } catch (error) {
      if (!signal.aborted)
        options.log.error({ subject: delivery.subject, err: error }, "a request could not be taken");
      delivery.handBack(signal.aborted ? 0 : 5000);
    }
  };
}

/** To a log that has lost events nothing can be appended, and whoever reads it is told so. */
async function takeOrDrop(options: Taking, delivery: Delivery, signal: AbortSignal): Promise<void> {
  try {
    await takeRequest(options, delivery, signal);
  } catch (error) {
    if (!hasLostEvents(error)) throw error;
    options.log.error(
      { subject: delivery.subject, err: error },
      "a request for a build that has lost events is dropped",
    );
    await delivery.ack(signal);
  }
}

async function takeRequest(options: Taking, delivery: Delivery, signal: AbortSignal): Promise<void> {
  const { log, resolving } = options;
  const salvaged = salvageRequest(delivery.data);
  const id =
    salvaged.id ?? derivedBuildId({ created: delivery.streamCreated }, delivery.sequence, delivery.storedAt);
  if (decideId(id, delivery.storedAt) === "future") {
    log.warn({ build: id, subject: delivery.subject }, "a request with an id of the future is dropped");
    await delivery.ack(signal);
    return;
  }
  // The request that was stored first has the id: another that used it meanwhile is looked at when that one is taken.
  if (resolving.has(id)) {
    delivery.handBack(1000);
    return;
  }
  resolving.add(id);
  try {
    await whileKept(
      options.clock,
      delivery,
      async () => {
        await beginOnce(options, delivery, id, salvaged.replyTo, signal);
        await delivery.ack(signal);
      },
      signal,
    );
  } finally {
    resolving.delete(id);
  }
}

async function beginOnce(
  options: Taking,
  delivery: Delivery,
  id: BuildId,
  replyTo: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  const { bus, holdings, log } = options;
  if (holdings.holds(id) || (await bus.lastEvent(id, signal)) !== undefined) {
    log.debug({ build: id }, "this request was taken before");
    return;
  }
  const first = await firstEvent(options, delivery, id, replyTo, signal);
  const begun = await begin(options, id, first, replyTo, signal);
  const outcome = begun ? first.body.type : "taken by another builder";
  log.info({ build: id, subject: delivery.subject, outcome }, "took a request");
}

/** A request whose first event can never be stored ends with one that can. */
async function begin(
  { holdings, log }: RequestTakerOptions,
  id: BuildId,
  first: FirstEvent,
  replyTo: string | undefined,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    return await holdings.begin(id, first.body, first.sources);
  } catch (error) {
    signal.throwIfAborted();
    if (isUnavailable(error)) throw error;
    log.error({ build: id, err: error }, "a build cannot be begun");
    const why = isBug(error)
      ? { reason: bugReason(error), code: internalCode }
      : { reason: `this request cannot be taken: ${messageOf(error)}` };
    return holdings.begin(id, finishedAtOnce({ verdict: "infra-failed", ...why, durationMs: 0, replyTo }));
  }
}

type EndedAtOnce = "expired" | "failed" | "infra-failed";

interface AtOnce {
  readonly verdict: EndedAtOnce;
  readonly reason: string;
  readonly details?: string;
  /** For a bug in homelab-deploy. */
  readonly code?: typeof internalCode;
  readonly durationMs: number;
  readonly replyTo: string | undefined;
  readonly sources?: Source[];
}

const finishedAtOnce = ({ verdict, reason, details, code, ...rest }: AtOnce): EventBody => ({
  type: "finished",
  verdict,
  reason: boundedText(reason),
  details: details && boundedText(details),
  code,
  ...rest,
});

interface FirstEvent {
  readonly body: EventBody;
  readonly sources?: ReadonlyMap<RepoName, BuildSource>;
}

async function firstEvent(
  { bus, resolver, builder, clock, log, requestExpiryMs }: RequestTakerOptions,
  delivery: Delivery,
  id: BuildId,
  replyTo: string | undefined,
  signal: AbortSignal,
): Promise<FirstEvent> {
  const started = clock.monotonic();
  const answer = replyTo === undefined ? {} : { replyTo };
  const finished = (
    verdict: EndedAtOnce,
    reason: string,
    more: Pick<AtOnce, "code" | "details" | "sources"> = {},
  ): FirstEvent => ({
    body: finishedAtOnce({
      verdict,
      reason,
      ...more,
      durationMs: Math.round(clock.monotonic() - started),
      replyTo,
    }),
  });
  const metBug = (error: unknown): FirstEvent => {
    log.error({ build: id, err: error }, "a bug keeps a request from being taken");
    return finished("infra-failed", bugReason(error), { code: internalCode });
  };

  let target: Target;
  let request: BuildRequest;
  try {
    target = parseRequestSubject(delivery.subject);
    request = decodeRequest(delivery.data);
  } catch (error) {
    if (!(error instanceof HomelabError)) return metBug(error);
    return { body: { ...rejectionOf(error), ...answer } };
  }

  if (decideId(id, delivery.storedAt) === "past") {
    const hint = "use a new id, made from the time of the request (a ULID), and check the clock";
    const message = "the id of this request is of another time";
    return { body: { type: "rejected", code: "BAD_ID", message, hint, ...answer } };
  }
  const waitedMs = clock.now().getTime() - delivery.storedAt.getTime();
  if (delivery.deliveryCount > mostDeliveries) {
    const reason = `${mostDeliveries} times a builder began to take this request and came to no end: see its log`;
    return finished("infra-failed", reason);
  }
  if (waitedMs > (request.expiresAfter === undefined ? requestExpiryMs : request.expiresAfter * 1000)) {
    return finished("expired", `no builder took this request for ${Math.round(waitedMs / 1000)} s`);
  }

  let resolution: Resolution;
  try {
    resolution = await resolver.resolve(
      target,
      request,
      (note) => bus.publishProgress({ build: id, note: boundedText(note, 900), running: [], hosts: [] }),
      signal,
    );
  } catch (error) {
    signal.throwIfAborted();
    if (isBug(error)) return metBug(error);
    const isOwnFault = error instanceof HomelabError && error.kind === "failed";
    const [details] = causesOf(error);
    const sources = error instanceof UnlistedHostsError ? [error.source] : undefined;
    return finished(isOwnFault ? "failed" : "infra-failed", messageOf(error), { details, sources });
  }
  if (resolution.type === "reject") return { body: { ...resolution, type: "rejected", ...answer } };
  const { sources, hosts, skipped, complete, unresolved, buildSources } = resolution;
  return {
    sources: buildSources,
    body: {
      type: "accepted",
      builder,
      priority: request.priority ?? "interactive",
      trigger: triggerOf(request, resolution),
      requestedBy: request.requestedBy,
      ...answer,
      sources,
      hosts,
      skipped,
      about: requestDigest(target, request),
      complete,
      ...(request.fresh === true && { fresh: true }),
      changedSince: request.changedSince,
      unresolved: unresolved && [...unresolved],
    },
  };
}

function rejectionOf(error: HomelabError): EventBody & { type: "rejected" } {
  const { code = "BAD_REQUEST", message, hint } = error;
  return { type: "rejected", code, message: boundedText(message), hint };
}

/** The server hears meanwhile that the request is in work. */
export async function whileKept<T>(
  clock: Clock,
  delivery: Delivery,
  work: () => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const over = new AbortController();
  const until = AbortSignal.any([signal, over.signal]);
  async function keep(): Promise<void> {
    for (;;) {
      await clock.sleep(keepMs, until);
      delivery.working();
    }
  }
  const keeping = keep().catch(() => undefined); // aborted
  try {
    return await work();
  } finally {
    over.abort();
    await keeping;
  }
}
