// Several builds with their hosts, for pages that compare them.
import { workThrough } from "../../base/work-through.ts";
import type { BuildState } from "../../protocol/build-state.ts";
import type { BuildId } from "../../protocol/names.ts";
import type { PageContext } from "./page-context.ts";

const logsAtOnce = 4;

/** In the same order. A build whose events are gone is left out. */
export async function readBuildsOf(
  { fleet }: PageContext,
  ids: readonly BuildId[],
  signal: AbortSignal,
): Promise<readonly BuildState[]> {
  const found = new Map<BuildId, BuildState>();
  await workThrough([...ids], logsAtOnce, async (id) => {
    const build = await fleet.build(id, signal).catch(() => undefined);
    signal.throwIfAborted();
    if (build !== undefined) found.set(id, build);
  });
  return ids.flatMap((id) => found.get(id) ?? []);
}
