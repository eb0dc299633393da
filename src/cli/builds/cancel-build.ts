import { HomelabError } from "../../base/errors.ts";
import type { BuildReader } from "../../bus/bus.ts";
import { isOver } from "../../protocol/build-state.ts";
import type { BuildId } from "../../protocol/names.ts";
import { readBuild } from "./find-build.ts";

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
  if (last !== undefined) {
    const before = await readBuild(reader, id, signal);
    if (isOver(before)) {
      const ended = before.status === "succeeded" ? "succeeded" : `ended as ${before.status}`;
      throw new HomelabError("refused", `build ${id} is over: it ${ended}`, { code: "BUILD_OVER" });
    }
  }
  await reader.control(id, { action: "cancel" }, signal);
  const patience = AbortSignal.any([signal, AbortSignal.timeout(confirmMs)]);
  try {
    for await (const message of reader.follow(id, {}, patience)) void message;
    return isOver(await readBuild(reader, id, signal));
  } catch (error) {
    signal.throwIfAborted();
    if (patience.aborted) return false;
    throw error;
  }
}
