import type { Clock } from "../base/clock.ts";
import type { BuildReader } from "../bus/bus.ts";
import { parseBuildId, type BuildId, type Commit, type RepoName } from "../protocol/names.ts";
import { newBuildId } from "../protocol/ulid.ts";
import { outcomeOf } from "../protocol/verdicts.ts";
import type { Journal, JournalEntry } from "./journal.ts";

export interface BuildIdOptions {
  readonly builds: BuildReader;
  readonly journal: Journal;
  readonly clock: Clock;
}

/** What a build is about: a candidate, and where its own hosts are not meant, the repo downstream of it. */
export interface BuildSubject {
  readonly commit: Commit;
  readonly downstream?: RepoName;
}

/** The build that an earlier run asked for, unless it ended without a verdict on the hosts. */
export async function buildIdFor(
  { builds, journal, clock }: BuildIdOptions,
  { commit, downstream }: BuildSubject,
  signal: AbortSignal,
): Promise<BuildId> {
  const isSame = (entry: JournalEntry): entry is JournalEntry & { step: "build-asked" } =>
    entry.step === "build-asked" && entry.commit === commit && entry.downstream === downstream;
  const asked = journal.entries.findLast(isSame);
  if (asked !== undefined) {
    const last = await builds.lastEvent(asked.build, signal);
    const isUseless =
      last?.type === "rejected" ||
      (last?.type === "finished" && !["succeeded", "failed"].includes(outcomeOf(last)));
    if (!isUseless) return asked.build;
  }
  const build = parseBuildId(newBuildId(clock.now()));
  await journal.append({
    step: "build-asked",
    commit,
    build,
    downstream,
  });
  return build;
}
