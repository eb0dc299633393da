// What is kept of a build that is over, and of each host, as one small row: for lists, which would otherwise read every
// event of every build. The event log is the truth; a row only repeats it, and is restored from it.
import * as v from "valibot";
import { isOver, type BuildState } from "./build-state.ts";
import { SignedStatement } from "./deploy/statement.ts";
import { isOfTip, Source } from "./events.ts";
import { BuilderName, BuildId, Commit, HostName, RepoName, StorePath } from "./names.ts";
import { Priority, Trigger } from "./request.ts";
import { timeOf } from "./ulid.ts";
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

/** The result of a build that is over. It never changes. */
const BuildResult = v.object({ ...common, status: BuildVerdict });
export type BuildResult = v.InferOutput<typeof BuildResult>;

const verdictFields = {
  /** `cancelled` counts for nothing. */
  verdict: HostVerdict,
  /** `INTERNAL` for a bug in homelab-deploy. */
  code: v.optional(text),
  reason: v.optional(text),
  build: BuildId,
  commit: v.optional(Commit),
  /** When that build was accepted. */
  at: v.optional(time),
  /** When the first of the builds was accepted in which it failed on its own, and has not succeeded since. */
  failsSince: v.optional(time),
};

/** The newest verdict on a host at the tip of the repo's branch. */
const TipResult = v.object(verdictFields);
export type TipResult = v.InferOutput<typeof TipResult>;

/** The newest verdict on a host at a commit as it is. */
const HostResult = v.object({
  repo: RepoName,
  host: HostName,
  ...verdictFields,
  outPath: v.optional(StorePath),
  /** As of a host that is finished. */
  cached: v.optional(v.boolean()),
  /** The newest, and the build that it came from: a host that was away for months is deployed with it. */
  stated: v.optional(v.object({ build: BuildId, ...SignedStatement.entries })),
  /** The newest result on the branch itself; null if there was none. Absent in rows of earlier releases: see `tipOf`. */
  tip: v.optional(v.nullable(TipResult)),
});
export type HostResult = v.InferOutput<typeof HostResult>;

/** How the host is on the repo's branch. Earlier releases did not tell builds of other commits apart. */
export function tipOf(row: HostResult): TipResult | undefined {
  if (row.tip !== undefined) return row.tip ?? undefined;
  const { verdict, code, reason, build, commit, at, failsSince } = row;
  return { verdict, code, reason, build, commit, at, failsSince };
}

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
    // Lists read many rows: what is long stays in the events.
    sources: sources.map((source) => ({ ...source, inputs: undefined })),
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

/** What one build says about its hosts. With overrides, nothing: that is another system than the host's. */
export function hostResultsOf(build: BuildState): readonly HostResult[] {
  const sources = new Map(build.sources.map((source) => [source.repo, source]));
  const results: HostResult[] = [];
  for (const { repo, host, finished } of build.hosts.values()) {
    const source = sources.get(repo);
    if (finished === undefined || finished.verdict === "cancelled" || source?.overrides !== undefined)
      continue;
    const { verdict, code, reason, outPath, cached, statement } = finished;
    const result = {
      verdict,
      code,
      reason,
      build: build.id,
      commit: source?.commit,
      at: build.startedAt,
      failsSince: isOwnFault(verdict) ? build.startedAt : undefined,
    };
    const tip = source !== undefined && isOfTip(source) ? result : null;
    const stated = statement === undefined ? undefined : { build: build.id, ...statement };
    results.push({ repo, host, ...result, outPath, cached, tip, stated });
  }
  return results;
}

/** The one of the newer build, whichever was written first, with since when the host fails. */
export function newerHostResult(stored: HostResult | undefined, found: HostResult): HostResult {
  if (stored === undefined) return found;
  const newer = newerVerdict(stored, found);
  const storedTip = tipOf(stored);
  const tip = newerVerdict(storedTip, tipOf(found));
  const stated = newerStatement(stored.stated, found.stated);
  const isSame = newer === stored && tip === storedTip && stated === stored.stated;
  return isSame ? stored : { ...newer, tip: tip ?? null, stated };
}

function newerVerdict<Result extends TipResult | undefined>(stored: Result, found: Result): Result {
  if (found === undefined || (stored !== undefined && stored.build >= found.build)) return stored;
  if (stored === undefined || isSuccess(found.verdict)) return found;
  // A failure that is not the host's fault neither ends nor begins it.
  return { ...found, failsSince: stored.failsSince ?? found.failsSince };
}

/** A build without one, of a pull request or of an old commit, takes none away. */
function newerStatement(one: HostResult["stated"], other: HostResult["stated"]): HostResult["stated"] {
  if (one === undefined || other === undefined) return one ?? other;
  return one.build >= other.build ? one : other;
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

/** When it was accepted or, before that, what its id claims. */
export const startOf = (build: Pick<BuildSummary, "id" | "startedAt">): Date =>
  build.startedAt === undefined ? timeOf(build.id) : new Date(build.startedAt);
