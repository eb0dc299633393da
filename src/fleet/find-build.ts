import { HomelabError } from "../base/errors.ts";
import type { BuildReader } from "../bus/bus.ts";
import { foldEvents, type BuildState } from "../protocol/build-state.ts";
import { presence } from "../protocol/builder-status.ts";
import { parseBuildId, type BuildId } from "../protocol/names.ts";

/**
 * The build that a person means: its id, the first characters of it, or `last`.
 *
 * @throws HomelabError `usage` when there is none, or more than one.
 */
export async function findBuild(reader: BuildReader, text: string, signal: AbortSignal): Promise<BuildId> {
  const wanted = text.toUpperCase();
  if (/^[0-9A-Z]{26}$/.test(wanted)) return parseBuildId(wanted);
  const ids = await reader.listBuilds(signal);
  const found = wanted === "LAST" ? ids.slice(0, 1) : ids.filter((id) => id.startsWith(wanted));
  const [id] = found;
  if (id !== undefined && found.length === 1) return id;
  const shown = JSON.stringify(text.slice(0, 40));
  throw new HomelabError(
    "usage",
    found.length === 0 ? `there is no build ${shown}` : `${shown} is the beginning of ${found.length} builds`,
    {
      code: found.length === 0 ? "UNKNOWN_BUILD" : "AMBIGUOUS_BUILD",
      hint:
        found.length === 0
          ? "list them: homelab-deploy builds list"
          : `${found.slice(0, 3).join(", ")}${found.length > 3 ? ", …" : ""}`,
    },
  );
}

/**
 * The newest build that a builder holds; where none runs, the newest that one accepted.
 *
 * @throws HomelabError `usage` when there is none
 */
export async function findWatched(reader: BuildReader, now: Date, signal: AbortSignal): Promise<BuildId> {
  const builders = await reader.listBuilders(signal);
  const present = builders.filter(({ at }) => now.getTime() - Date.parse(at) <= presence.goneAfterMs);
  const held = present.flatMap(({ builds }) => builds).toSorted();
  const id = held.at(-1) ?? (await reader.acceptedBuilds(1, signal))[0];
  if (id !== undefined) return id;
  throw new HomelabError("usage", "there is no build yet", {
    code: "UNKNOWN_BUILD",
    hint: "build something first: homelab-deploy build --all",
  });
}

/** What can be read of several builds; one whose events are gone does not hide the others. */
export async function readBuilds(
  reader: BuildReader,
  ids: readonly BuildId[],
  signal: AbortSignal,
): Promise<BuildState[]> {
  const states = await Promise.all(
    ids.map(async (id) => {
      try {
        return await readBuild(reader, id, signal);
      } catch (error) {
        if (signal.aborted || !(error instanceof HomelabError)) throw error;
        return undefined;
      }
    }),
  );
  return states.filter((state) => state !== undefined);
}

/** @throws HomelabError `usage` when the build has no event: it waits in the queue, or there is none. */
export async function readBuild(reader: BuildReader, id: BuildId, signal: AbortSignal): Promise<BuildState> {
  const state = foldEvents(id, await reader.readEvents(id, 0, signal));
  if (state.nextIndex > 0) return state;
  throw new HomelabError("usage", `there is no build ${id}, or no builder took it yet`, {
    code: "UNKNOWN_BUILD",
    hint: "list them: homelab-deploy builds list",
  });
}

/** One build as a document, for `--json`. Additive only. */
export function buildJson(state: BuildState): object {
  const { hosts, nextIndex, ...rest } = state;
  return {
    ...rest,
    events: nextIndex,
    hosts: [...hosts.values()].map(({ repo, host, phase, evaluated, finished }) => ({
      repo,
      host,
      phase,
      drvPath: evaluated?.drvPath,
      outPath: evaluated?.outPath,
      remembered: evaluated?.remembered,
      verdict: finished?.verdict,
      reason: finished?.reason,
      details: finished?.details,
      cached: finished?.cached,
      code: finished?.code,
      durationMs: finished?.durationMs,
    })),
  };
}
