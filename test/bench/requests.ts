// Builds asked for and watched from this process, without the start of a program.
import type { BuildReader } from "../../src/bus/bus.ts";
import { foldEvents } from "../../src/protocol/build-state.ts";
import type { BuildEvent } from "../../src/protocol/events.ts";
import type { BuildId } from "../../src/protocol/names.ts";
import type { BuildRequest } from "../../src/protocol/request.ts";
import type { Target } from "../../src/protocol/subjects.ts";
import { newBuildId } from "../../src/protocol/ulid.ts";

const patienceMs = 180_000;

export interface WatchedBuild {
  readonly id: BuildId;
  /** Milliseconds from before the request was published until this reader had the event. */
  readonly acceptedMs: number;
  readonly finishedMs: number;
}

/** @throws Error unless the build succeeds */
export async function requestBuild(
  reader: BuildReader,
  target: Target,
  specification: Pick<BuildRequest, "priority" | "rev"> = {},
): Promise<WatchedBuild> {
  const id = newBuildId(new Date());
  const signal = AbortSignal.timeout(patienceMs);
  const started = performance.now();
  const submitted = reader.submit(target, { id, ...specification }, signal);
  const watched = await watchBuild(reader, id, started, signal);
  await submitted;
  return watched;
}

/** The same for a build that somebody else asks for. */
export async function watchBuild(
  reader: BuildReader,
  id: BuildId,
  started = performance.now(),
  signal = AbortSignal.timeout(patienceMs),
): Promise<WatchedBuild> {
  const events: BuildEvent[] = [];
  let acceptedMs = Number.NaN;
  for await (const message of reader.follow(id, {}, signal)) {
    if (message.type !== "event") continue;
    if (message.event.type === "accepted") acceptedMs = performance.now() - started;
    events.push(message.event);
  }
  const finishedMs = performance.now() - started;
  const state = foldEvents(id, events);
  if (state.status !== "succeeded") {
    throw new Error(`a build of the bench ended as ${state.status}: ${JSON.stringify(events.slice(-3))}`);
  }
  return { id, acceptedMs, finishedMs };
}
