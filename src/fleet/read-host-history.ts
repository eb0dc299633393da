import { HomelabError } from "../base/errors.ts";
import { workThrough } from "../base/work-through.ts";
import type { BuildReader } from "../bus/bus.ts";
import type { BuildState } from "../protocol/build-state.ts";
import { didYouMean } from "../protocol/did-you-mean.ts";
import type { HostRef } from "../protocol/events.ts";
import { fullName, parseHostName, parseRepoName, type BuildId } from "../protocol/names.ts";
import { readBuilds } from "./find-build.ts";
import { composeHistory, type HostHistory } from "./host-history.ts";
import { readHosts } from "./read-results.ts";

/** A log has megabytes. */
const logsAtOnce = 4;

/**
 * @param text `host`, or `repo/host`
 * @param ids builds that are looked at, newest first
 * @param others hosts that are known and need not have been built
 * @throws HomelabError `usage` when no host is called so, or several
 */
export async function readHostHistory(
  reader: BuildReader,
  text: string,
  ids: readonly BuildId[],
  signal: AbortSignal,
  others: readonly HostRef[] = [],
): Promise<HostHistory> {
  const built: readonly HostRef[] = await readHosts(reader, ids, signal);
  const known = new Map([...built, ...others].map((each) => [fullName(each), each]));
  const { repo, host } = chooseHost(text, [...known.values()]);
  const states = new Map<BuildId, BuildState>();
  await workThrough([...ids], logsAtOnce, async (id) => {
    for (const state of await readBuilds(reader, [id], signal)) states.set(id, state);
  });
  const builds = ids.flatMap((id) => states.get(id) ?? []);
  return composeHistory({ repo, host }, { builds, updates: await reader.updates.of(repo, signal) });
}

function chooseHost(text: string, known: readonly HostRef[]): HostRef {
  const slash = text.indexOf("/");
  const repo = slash < 0 ? undefined : parseRepoName(text.slice(0, slash));
  const host = parseHostName(text.slice(slash + 1));
  const named = known.filter((each) => each.host === host && (repo === undefined || each.repo === repo));
  const [found] = named;
  if (found !== undefined && named.length === 1) return found;
  if (named.length > 1) {
    throw new HomelabError("usage", `several repos have a host ${host}`, {
      code: "AMBIGUOUS_HOST",
      hint: `name one: ${named.map((each) => `${each.repo}/${each.host}`).join(", ")}`,
    });
  }
  const near = didYouMean(
    host,
    known.map((each) => each.host),
  );
  throw new HomelabError("usage", `no host ${text} was built yet`, {
    code: "UNKNOWN_HOST",
    hint: near === undefined ? "list them: homelab-deploy hosts" : `did you mean ${near}?`,
  });
}
