// The rollout that a person means.
import { HomelabError } from "../../base/errors.ts";
import type { RolloutLog, RolloutReader } from "../../bus/rollout-bus.ts";
import { RolloutId } from "../../protocol/rollout/rollout-events.ts";
import { foldRollout, isPlanned, type Rollout } from "../../protocol/rollout/rollout.ts";
import * as v from "valibot";

export interface FoundRollout {
  readonly rollout: Rollout;
  readonly log: RolloutLog;
}

/** Rollouts that still run are among the newest. */
const lookedAt = 30;

/**
 * By its id, the first characters of it, or `last`; without any, the one that runs.
 *
 * @param orNewest where none runs, the newest will do
 * @throws HomelabError `usage` when there is none, or more than one
 */
export async function findRollout(
  reader: RolloutReader,
  reference: string | undefined,
  signal: AbortSignal,
  { orNewest = false }: { readonly orNewest?: boolean } = {},
): Promise<FoundRollout> {
  const wanted = reference?.toUpperCase();
  const full = v.safeParse(RolloutId, wanted);
  if (full.success) return readFound(reader, full.output, signal);
  const ids = await reader.rolloutIds(signal);
  const [newest] = ids;
  if (newest === undefined)
    throw unknown("there is no rollout yet", "start one: homelab-deploy deploy --all");
  if (wanted === "LAST") return readFound(reader, newest, signal);
  if (wanted === undefined) {
    const running = await readRunning(reader, ids, signal);
    if (running !== undefined) return running;
    if (orNewest) return readFound(reader, newest, signal);
    throw unknown("no rollout runs", "list them: homelab-deploy rollouts list");
  }
  const found = ids.filter((id) => id.startsWith(wanted));
  const [id] = found;
  const shown = JSON.stringify(reference?.slice(0, 40));
  if (id === undefined)
    throw unknown(`there is no rollout ${shown}`, "list them: homelab-deploy rollouts list");
  if (found.length > 1) throw ambiguous(`${shown} is the beginning of ${found.length} rollouts`, found);
  return readFound(reader, id, signal);
}

/** One that runs, before one that waits for it. */
async function readRunning(
  reader: RolloutReader,
  ids: readonly RolloutId[],
  signal: AbortSignal,
): Promise<FoundRollout | undefined> {
  const open = await readOpen(reader, ids, signal);
  const running = open.filter(({ rollout }) => isPlanned(rollout));
  const [only, ...others] = running.length > 0 ? running : open;
  if (others.length > 0 && only !== undefined) {
    throw ambiguous(
      "several rollouts run",
      [only, ...others].map(({ rollout }) => `${rollout.id} (${rollout.repo})`),
    );
  }
  return only;
}

const readOpen = async (
  reader: RolloutReader,
  ids: readonly RolloutId[],
  signal: AbortSignal,
): Promise<readonly FoundRollout[]> =>
  (await readRollouts(reader, ids.slice(0, lookedAt), signal)).filter(
    ({ rollout }) => rollout.end === undefined,
  );

/** The rollouts that are not over, newest first. */
export async function readOpenRollouts(
  reader: RolloutReader,
  signal: AbortSignal,
): Promise<readonly Rollout[]> {
  const ids = await reader.rolloutIds(signal);
  return (await readOpen(reader, ids, signal)).map(({ rollout }) => rollout);
}

/** The rollouts among these ids that were created, in the same order. */
export async function readRollouts(
  reader: RolloutReader,
  ids: readonly RolloutId[],
  signal: AbortSignal,
): Promise<readonly FoundRollout[]> {
  const logs = await Promise.all(ids.map(async (id) => reader.readRollout(id, signal)));
  return logs.flatMap((log) => {
    const rollout = foldRollout(log.events);
    return rollout === undefined ? [] : [{ rollout, log }];
  });
}

async function readFound(reader: RolloutReader, id: RolloutId, signal: AbortSignal): Promise<FoundRollout> {
  const [found] = await readRollouts(reader, [id], signal);
  if (found === undefined)
    throw unknown(`there is no rollout ${id}`, "list them: homelab-deploy rollouts list");
  return found;
}

const unknown = (message: string, hint: string): HomelabError =>
  new HomelabError("usage", message, { code: "UNKNOWN_ROLLOUT", hint });

const ambiguous = (message: string, found: readonly string[]): HomelabError =>
  new HomelabError("usage", message, {
    code: "AMBIGUOUS_ROLLOUT",
    hint: `name one: ${found.slice(0, 3).join(", ")}${found.length > 3 ? ", …" : ""}`,
  });
