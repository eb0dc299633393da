// From the queues into builds. Somebody waits for what is interactive: it is taken as it comes. Batch requests are put
// aside, and taken from there a few at a time, while there is room that nobody who waits needs.
import { HomelabError } from "../../base/errors.ts";
import type { Backlog, Delivery } from "../../bus/bus.ts";
import { decodeRequest } from "../../protocol/request.ts";
import { parseRequestSubject, type Target } from "../../protocol/subjects.ts";
import type { BacklogAccess } from "./backlog-access.ts";
import type { OtherBuilders } from "../other-builders.ts";
import { createTakeTurns, type Pull } from "./take-turns.ts";
import { createRequestTaker, whileKept, type RequestTakerOptions } from "./take-request.ts";
import { createWaitForRoom } from "./wait-for-room.ts";

/** More builds than this at a time, and requests wait in the queue instead. */
const maxBuilds = 500;
/** The limit for batch requests from the backlog, which leaves the rest to requests that somebody waits for. */
const maxBacklogBuilds = 400;
/** Each runs git, and shares the processor with a request that somebody waits for. */
const backlogAtOnce = 4;
/** Asked of the server at once while batch requests are put aside: somebody may wait behind many of them. */
const pullsAtOnce = 16;
/** A request that has no room in the backlog must not keep others waiting. */
const noRoomMs = 10_000;

export interface RequestIntakeOptions extends RequestTakerOptions {
  readonly backlog: BacklogAccess;
  readonly otherBuilders: OtherBuilders;
  /** Hosts of all builds here that have no verdict yet. */
  readonly openHosts: () => number;
}

/** Takes requests until the signal aborts; a request that is half taken then goes back to the queue. */
export async function runRequestIntake(options: RequestIntakeOptions, signal: AbortSignal): Promise<void> {
  const { bus, backlog, holdings, clock, log } = options;
  const take = createRequestTaker(options);
  const taking = new Set<Promise<void>>();
  const admitting = new Set<Promise<void>>();
  const aside = new Set<Promise<void>>();
  const size = (): number => holdings.size() + taking.size;
  let admitted: Promise<unknown> = Promise.resolve();
  const takeTurns = createTakeTurns({
    others: options.otherBuilders,
    isBusy: () => size() > 0,
    clock,
  });
  const waitForRoom = createWaitForRoom({
    ...options,
    running: () => ({ builds: size(), openHosts: options.openHosts(), starts: holdings.starts() }),
  });
  async function nextOf(
    pull: Pull,
    mostBuilds: number,
    priority: "interactive" | "batch",
  ): Promise<Delivery | undefined> {
    while (size() >= mostBuilds) await clock.sleep(1000, signal);
    try {
      await waitForRoom(priority, signal);
      return await takeTurns(pull, signal);
    } catch (error) {
      signal.throwIfAborted();
      log.warn({ err: error }, "the request queue cannot be read");
      await clock.sleep(1000, signal);
      return undefined;
    }
  }

  async function takeFromQueue(): Promise<void> {
    for (;;) {
      const delivery = await nextOf(bus.nextRequest, maxBuilds, "interactive");
      if (delivery === undefined) continue;
      const into = backlog.current();
      const target = into === undefined ? undefined : batchTargetOf(delivery);
      if (into === undefined || target === undefined) void start(taking, take(delivery, signal));
      else await start(aside, sortOut(into, delivery, target));
    }
  }

  /** Until the queue is empty, or there is no room for those that somebody waits for. */
  async function sortOut(into: Backlog, first: Delivery, firstTarget: Target): Promise<void> {
    async function sort(): Promise<void> {
      while (admitting.size < pullsAtOnce) {
        const delivery = await bus.nextRequest(signal, { wait: false });
        if (delivery === undefined) return;
        const target = batchTargetOf(delivery);
        if (target === undefined) void start(admitting, admit(delivery));
        else await putAside(into, delivery, target);
      }
    }
    await putAside(into, first, firstTarget);
    try {
      await Promise.all(Array.from({ length: pullsAtOnce }, sort));
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error }, "the request queue cannot be read");
    }
  }

  /** One after the other: each changes how much room there is. */
  async function admit(delivery: Delivery): Promise<void> {
    const turn = takeAfter(admitted, delivery);
    admitted = turn.catch(() => undefined);
    try {
      await whileKept(clock, delivery, () => turn, signal);
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error }, "the request queue cannot be read");
      delivery.handBack(signal.aborted ? 0 : 1000);
    }
  }

  async function takeAfter(others: Promise<unknown>, delivery: Delivery): Promise<void> {
    await others;
    while (size() >= maxBuilds) await clock.sleep(1000, signal);
    await waitForRoom("interactive", signal);
    void start(taking, take(delivery, signal));
  }

  async function putAside(into: Backlog, delivery: Delivery, target: Target): Promise<void> {
    try {
      if (await into.add(delivery, target, signal)) await delivery.ack(signal);
      else delivery.handBack(noRoomMs);
    } catch (error) {
      if (!signal.aborted)
        log.warn({ subject: delivery.subject, err: error }, "a batch request could not be put aside");
      delivery.handBack(signal.aborted ? 0 : noRoomMs);
    }
  }

  async function takeFromBacklog(): Promise<void> {
    const fromBacklog = new Set<Promise<void>>();
    for (;;) {
      const { next } = await backlog.open(signal);
      // Somebody may wait behind what is put aside.
      while (aside.size > 0) await Promise.race(aside);
      const delivery = await nextOf(next, maxBacklogBuilds, "batch");
      if (delivery === undefined) continue;
      void start(fromBacklog, start(taking, take(delivery, signal)));
      if (fromBacklog.size >= backlogAtOnce) await Promise.race(fromBacklog);
    }
  }

  try {
    await Promise.all([takeFromQueue(), takeFromBacklog()]);
  } finally {
    await Promise.allSettled([...aside, ...admitting]);
    await Promise.allSettled(taking);
  }
}

function start(tasks: Set<Promise<void>>, task: Promise<void>): Promise<void> {
  const kept: Promise<void> = task.finally(() => tasks.delete(kept));
  tasks.add(kept);
  return kept;
}

/** The hosts of a batch request. What cannot be read is not a batch request, and is answered at once. */
function batchTargetOf({ subject, data }: Delivery): Target | undefined {
  try {
    const target = parseRequestSubject(subject);
    return decodeRequest(data).priority === "batch" ? target : undefined;
  } catch (error) {
    if (error instanceof HomelabError) return undefined;
    throw error;
  }
}
