import { HomelabError } from "../../base/errors.ts";
import { hasLostEvents, type BuildReader } from "../../bus/bus.ts";
import { isTerminal } from "../../protocol/events.ts";
import type { BuildId } from "../../protocol/names.ts";

/** How long a cancelled build may take to say so, before we only say that we asked. */
const confirmMs = 10_000;

/**
 * Asks for it, also for a build that waits in the queue.
 *
 * @returns whether its end was seen
 * @throws HomelabError `refused` `BUILD_OVER`
 */
export async function cancelBuild(reader: BuildReader, id: BuildId, signal: AbortSignal): Promise<boolean> {
  const last = await reader.lastEvent(id, signal);
  if (last?.type === "finished" || last?.type === "rejected") {
    const ended = last.type === "rejected" ? "was rejected" : endedAs(last.verdict);
    throw new HomelabError("refused", `build ${id} is over: it ${ended}`, { code: "BUILD_OVER" });
  }
  await reader.control(id, { action: "cancel" }, signal);
  const patience = AbortSignal.any([signal, AbortSignal.timeout(confirmMs)]);
  try {
    for await (const message of reader.follow(id, {}, patience)) void message;
    return await isOver(reader, id, signal);
  } catch (error) {
    signal.throwIfAborted();
    // A build that has lost events cannot be followed; it can be cancelled all the same.
    if (patience.aborted || hasLostEvents(error)) return isOver(reader, id, signal);
    throw error;
  }
}

async function isOver(reader: BuildReader, id: BuildId, signal: AbortSignal): Promise<boolean> {
  const last = await reader.lastEvent(id, signal);
  return last !== undefined && isTerminal(last);
}

const endedAs = (verdict: string): string => (verdict === "succeeded" ? "succeeded" : `ended as ${verdict}`);
