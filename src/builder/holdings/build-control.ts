// Cancelling. The message waits in the queue until the build has no verdict any more, so it works whoever holds
// the build and also while nobody does.
import type { Clock } from "../../base/clock.ts";
import { hasLostEvents } from "../../bus/bus.ts";
import { messageOf } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { BuilderBus, Delivery } from "../../bus/bus.ts";
import { isTerminal, type BuildEvent } from "../../protocol/events.ts";
import type { BuildId } from "../../protocol/names.ts";
import { decodeControl } from "../../protocol/request.ts";
import { buildIdOfSubject } from "../../protocol/subjects.ts";
import type { Engine } from "../engine.ts";
import { decideId } from "../intake/decide-id.ts";
import { decideIntake } from "../intake/decide-intake.ts";
import type { Holdings } from "./holdings.ts";

/** After so many deliveries a message about a build that nobody ends is dropped. */
const maxDeliveries = 600;

export interface BuildControlOptions {
  readonly bus: BuilderBus;
  readonly engine: Engine;
  readonly holdings: Holdings;
  readonly clock: Clock;
  readonly log: Log;
}

/** How often its holder gets another second; after that the build is ended without it. */
const patientDeliveries = 4;

/**
 * - `done`: nothing (more) to do
 * - `begin-cancelled`: not begun yet, must never begin
 * - `later`: whoever holds it was told, and ends it
 * - `end`: nobody does
 */
export type ControlDecision = "done" | "begin-cancelled" | "later" | "end";

/** What is left to do about a cancellation, once the build was cancelled here if it is here. */
export function decideControl(
  last: BuildEvent | undefined,
  heldHere: boolean,
  deliveryCount: number,
): ControlDecision {
  if (last !== undefined && isTerminal(last)) return "done";
  if (deliveryCount >= maxDeliveries) return "done";
  if (last === undefined) return heldHere ? "later" : "begin-cancelled";
  return deliveryCount > patientDeliveries ? "end" : "later";
}

/** Obeys control messages until the signal aborts. */
export async function runBuildControl(options: BuildControlOptions, signal: AbortSignal): Promise<void> {
  const { bus, engine, clock, log } = options;
  // Quick, for the builder that holds the build; the queue below is sure.
  bus.watchControls((subject, data) => {
    try {
      decodeControl(data);
      engine.cancel(buildIdOfSubject(subject));
    } catch (error) {
      log.warn({ subject, err: error }, "a control message is not valid");
    }
  }, signal);
  for (;;) {
    try {
      const delivery = await bus.nextControl(signal);
      if (delivery !== undefined) await obeyOrDrop(options, delivery, signal);
    } catch (error) {
      signal.throwIfAborted();
      log.warn({ err: error }, "control messages cannot be read");
      await clock.sleep(1000, signal);
    }
  }
}

/** Nothing can be appended to a log that has lost events: whoever reads it is told so, and nothing waits for its end. */
async function obeyOrDrop(
  options: BuildControlOptions,
  delivery: Delivery,
  signal: AbortSignal,
): Promise<void> {
  try {
    await obey(options, delivery, signal);
  } catch (error) {
    if (!hasLostEvents(error)) throw error;
    options.log.warn(
      { subject: delivery.subject, error: messageOf(error) },
      "a build that has lost events cannot be cancelled",
    );
    await delivery.ack(signal);
  }
}

/** An event of its own is all that it takes. */
const nothingRuns = { builds: 0, openHosts: 0, starts: [] };

async function endCancelled(
  { bus, holdings }: BuildControlOptions,
  id: BuildId,
  last: BuildEvent | undefined,
  signal: AbortSignal,
): Promise<void> {
  const ending = { verdict: "cancelled", reason: "cancelled while no builder worked on it" } as const;
  try {
    await holdings.end(await bus.readEvents(id, 0, signal), ending);
  } catch (error) {
    if (!hasLostEvents(error) || last === undefined) throw error;
    await holdings.endUnread(last, ending);
  }
}

async function obey(options: BuildControlOptions, delivery: Delivery, signal: AbortSignal): Promise<void> {
  const { bus, engine, holdings, clock, log } = options;
  let id: BuildId;
  try {
    id = buildIdOfSubject(delivery.subject);
    decodeControl(delivery.data);
  } catch (error) {
    log.warn({ subject: delivery.subject, err: error }, "a control message is not valid");
    await delivery.ack(signal);
    return;
  }
  engine.cancel(id);
  const last = await bus.lastEvent(id, signal);
  // No request of that time can wait, and none will come: see `decideId`.
  if (last === undefined && decideId(id, delivery.storedAt) !== "timely") {
    log.warn({ build: id }, "a control message names an impossible build");
    await delivery.ack(signal);
    return;
  }
  switch (decideControl(last, holdings.holds(id), delivery.deliveryCount)) {
    case "done":
      await delivery.ack(signal);
      break;
    case "begin-cancelled":
      // Anybody can invent ids: their events must not push out those of builds.
      if (
        decideIntake({
          ...nothingRuns,
          priority: "interactive",
          space: await bus.eventSpace(signal),
          now: clock.now(),
        }) === "wait"
      ) {
        delivery.handBack(5000);
        break;
      }
      await holdings.begin(id, {
        type: "finished",
        verdict: "cancelled",
        reason: "cancelled before a builder took it",
        durationMs: 0,
      });
      await delivery.ack(signal);
      break;
    case "end":
      await endCancelled(options, id, last, signal);
      await delivery.ack(signal);
      break;
    case "later":
      // The message goes only when the log says that the build is over: until then a crash must not lose it.
      delivery.handBack(1000);
      break;
  }
}
