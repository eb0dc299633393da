// What is kept of a build that is over, and of each host, as one small row: for lists, which would otherwise read every
// event of every build. The event log is the truth; a row only repeats it, and is made again from it.
import * as v from "valibot";
import { isOver, type BuildState } from "./build-state.ts";
import { Source } from "./events.ts";
import { BuilderName, BuildId, Commit, HostName, RepoName, StorePath } from "./names.ts";
import { Priority, Trigger } from "./request.ts";
import { BuildVerdict, HostVerdict, isOwnFault, isSuccess } from "./verdicts.ts";
import { decode, encode, limits } from "./wire.ts";

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const text = v.pipe(v.string(), v.maxLength(20_000));
const time = v.pipe(v.string(), v.isoTimestamp());

const common = {
  id: BuildId,
  /** How many events its log had. */
  events: count,
  code: v.optional(text),
  builder: v.optional(BuilderName),
  priority: v.optional(Priority),
  trigger: v.optional(Trigger),
  requestedBy: v.optional(text),
  sources: v.array(Source),
  reason: v.optional(text),
  startedAt: v.optional(time),
  finishedAt: v.optional(time),
  durationMs: v.optional(v.number()),
  /** Hosts of the inventory, and those of them that are built. */
  hosts: v.object({ total: count, success: count }),
};

/** A build in one line of a list. */
const BuildSummary = v.object({
  ...common,
  status: v.union([v.picklist(["queued", "running"]), BuildVerdict]),
});
export type BuildSummary = v.InferOutput<typeof BuildSummary>;

/** Of a build that is over: it never changes. */
const BuildResult = v.object({ ...common, status: BuildVerdict });
export type BuildResult = v.InferOutput<typeof BuildResult>;

/** The newest verdict on a host at a commit as it is. */
const HostResult = v.object({
  repo: RepoName,
  host: HostName,
  /** `cancelled` counts for nothing. */
  verdict: HostVerdict,
  /** `INTERNAL` for a bug in homelab-deploy. */
  code: v.optional(text),
  reason: v.optional(text),
  build: BuildId,
  commit: v.optional(Commit),
  /** When that build was accepted. */
  at: v.optional(time),
  outPath: v.optional(StorePath),
  /** As of a host that is finished. */
  cached: v.optional(v.boolean()),
  /** When the first of the builds was accepted in which it failed by its own fault, and has not succeeded since. */
  failsSince: v.optional(time),
});
export type HostResult = v.InferOutput<typeof HostResult>;

export const encodeBuildResult = (result: BuildResult): Uint8Array => encode(result);
export const decodeBuildResult = (bytes: Uint8Array): BuildResult =>
  decode(BuildResult, bytes, { what: "build result", maxBytes: limits.result });
export const encodeHostResult = (result: HostResult): Uint8Array => encode(result);
export const decodeHostResult = (bytes: Uint8Array): HostResult =>
  decode(HostResult, bytes, { what: "host result", maxBytes: limits.result });

export function summaryOf(state: BuildState): BuildSummary {
  const { id, status, nextIndex, code, builder, priority, trigger, requestedBy, sources, reason } = state;
  const { startedAt, finishedAt, durationMs } = state;
  let success = 0;
  for (const { finished } of state.hosts.values()) {
    if (finished !== undefined && isSuccess(finished.verdict)) success++;
  }
  return {
    id,
    status,
    events: nextIndex,
    code,
    builder,
    priority,
    trigger,
    requestedBy,
    sources: [...sources],
    reason,
    startedAt,
    finishedAt,
    durationMs,
    hosts: { total: state.hosts.size, success },
  };
}

/** Undefined of a build that is not over. */
export function buildResultOf(state: BuildState): BuildResult | undefined {
  const { status, ...rest } = summaryOf(state);
  return isOver(state) && status !== "queued" && status !== "running" ? { ...rest, status } : undefined;
}

/** What one build says of its hosts. With overrides, nothing: that is another system than the host's. */
export function hostResultsOf(build: BuildState): readonly HostResult[] {
  const sources = new Map(build.sources.map((source) => [source.repo, source]));
  const results: HostResult[] = [];
  for (const { repo, host, finished } of build.hosts.values()) {
    const source = sources.get(repo);
    if (finished === undefined || finished.verdict === "cancelled" || source?.overrides !== undefined)
      continue;
    const { verdict, code, reason, outPath, cached } = finished;
    results.push({
      repo,
      host,
      verdict,
      code,
      reason,
      build: build.id,
      commit: source?.commit,
      at: build.startedAt,
      outPath,
      cached,
      failsSince: isOwnFault(verdict) ? build.startedAt : undefined,
    });
  }
  return results;
}

/** The one of the newer build, whichever was written first, with since when the host fails. */
export function newerHostResult(stored: HostResult | undefined, found: HostResult): HostResult {
  if (stored === undefined) return found;
  if (stored.build >= found.build) return stored;
  if (isSuccess(found.verdict)) return found;
  // What is no fault of the host neither ends nor begins it.
  return { ...found, failsSince: stored.failsSince ?? found.failsSince };
}

/** By repo and name, the newest of each host. */
export function mergeHostResults(results: Iterable<HostResult>): HostResult[] {
  const newest = new Map<string, HostResult>();
  for (const result of results) {
    const name = `${result.repo}/${result.host}`;
    newest.set(name, newerHostResult(newest.get(name), result));
  }
  return [...newest.values()].toSorted(
    (a, b) => a.repo.localeCompare(b.repo, "en") || a.host.localeCompare(b.host, "en"),
  );
}
