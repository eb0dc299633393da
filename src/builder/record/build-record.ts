// The event log of a running build, as its holder writes it. What happens is queued at once and stored in order;
// neighbours of the same kind become one event, so a slow server makes fewer events and not a longer queue.
import type { Clock } from "../../base/clock.ts";
import { createNotifier } from "../../base/notifier.ts";
import type { EventLogWriter } from "../../bus/bus.ts";
import { applyEvent, type BuildState } from "../../protocol/build-state.ts";
import { inEvents } from "../../protocol/event-parts.ts";
import {
  composeEvent,
  isTerminal,
  type BuildEvent,
  type EventBody,
  type EventOf,
} from "../../protocol/events.ts";
import { countedBytes, leftOut, withinBudget } from "./event-budget.ts";
import { endingBy, endingOf, isSuperseded, storeEnding } from "./end-build.ts";

export interface BuildRecord {
  /** The state as stored so far. */
  readonly state: () => BuildState;
  /** Queues what happened; never waits. Nothing may follow a terminal event. */
  emit(body: EventBody): void;
  /**
   * Stores what is emitted until the terminal event is stored.
   * @throws NotTheHolderError when another builder holds the build now; the signal's reason when aborted; what kept an
   *   event from being stored, after the build was ended therefore.
   */
  run(signal: AbortSignal): Promise<void>;
}

export interface BuildRecordOptions {
  readonly initial: BuildState;
  readonly epoch: number;
  readonly writer: EventLogWriter;
  readonly clock: Clock;
  /** Called with each event once it is stored. */
  readonly onStored: (event: BuildEvent) => void;
}

export function createBuildRecord({
  initial,
  epoch,
  writer,
  clock,
  onStored,
}: BuildRecordOptions): BuildRecord {
  const notifier = createNotifier();
  const queue: EventBody[] = [];
  let state = initial;
  let closed = false;
  let saidBytes = 0;
  let leavesOut = false;

  async function store(whole: EventBody, signal: AbortSignal): Promise<void> {
    const body = withinBudget(whole, saidBytes);
    if (body !== whole && !leavesOut) {
      leavesOut = true;
      await put(leftOut, signal);
    }
    if (body === undefined) return;
    saidBytes += countedBytes(body);
    await put(body, signal);
  }

  async function put(body: EventBody, signal: AbortSignal): Promise<void> {
    const envelope = { build: state.id, epoch, index: state.nextIndex, at: clock.now().toISOString() };
    const event = composeEvent(envelope, body);
    await writer.append(event, signal);
    state = applyEvent(state, event);
    onStored(event);
  }

  return {
    state: () => state,
    emit(body) {
      if (closed) return;
      closed = isTerminal(body);
      queue.push(body);
      notifier.notify();
    },
    async run(signal) {
      try {
        for (;;) {
          while (queue.length === 0) await notifier.wait(signal);
          for (const body of takeNext(queue)) {
            await store(body, signal);
            if (isTerminal(body)) return;
          }
        }
      } catch (error) {
        signal.throwIfAborted();
        if (isSuperseded(error)) throw error;
        // One event that can never be stored must not keep the build from its end.
        const ending = endingBy(error, "what happened in this build cannot be stored");
        await storeEnding(endingOf(state, ending, clock.now()), (body) => store(body, signal));
        throw error;
      } finally {
        closed = true;
      }
    },
  };
}

/** Takes the first event with the neighbours of its kind, in pieces that fit one message each. */
export function takeNext(queue: EventBody[]): EventBody[] {
  const [first] = queue;
  if (first === undefined) return [];
  if (first.type === "evaluated") {
    const run = takeWhile(queue, first.type);
    const durationMs = run.reduce((sum, event) => sum + event.durationMs, 0);
    return inEvents({ ...first, hosts: run.flatMap((event) => event.hosts), durationMs });
  }
  if (first.type === "building") {
    const hosts = takeWhile(queue, first.type).flatMap((event) => event.hosts);
    return inEvents({ type: "building", hosts });
  }
  if (first.type === "hosts-finished") {
    const hosts = takeWhile(queue, first.type).flatMap((event) => event.hosts);
    return inEvents({ type: "hosts-finished", hosts });
  }
  return queue.splice(0, 1).flatMap(inEvents);
}

function takeWhile<Type extends EventBody["type"]>(queue: EventBody[], type: Type): EventOf<Type>[] {
  const isOfType = (event: EventBody): event is EventOf<Type> => event.type === type;
  const run: EventOf<Type>[] = [];
  for (let next = queue[0]; next !== undefined && isOfType(next); next = queue[0]) {
    run.push(next);
    queue.shift();
  }
  return run;
}
