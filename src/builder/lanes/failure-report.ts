// Says which derivations failed, once in each build, with all hosts that they break and their full logs.
import type { Log } from "../../base/log.ts";
import type { FailureAnalysis, FailureCause } from "../../nix/realiser.ts";
import type { Store } from "../../nix/store.ts";
import { boundedText, type DerivationFailure, type HostRef } from "../../protocol/events.ts";
import type { StorePath } from "../../protocol/names.ts";
import type { ReadyWork, RunningBuild } from "../work.ts";
import type { Decision } from "../decide-verdicts.ts";

const reportedKinds = {
  failed: "failed",
  "timed-out": "timed-out",
  infra: "infra",
  unclear: "infra",
  interrupted: undefined,
  "no-builder": undefined,
} as const;
const tailLines = 50;
const tailBytes = 64 * 1024;
const tailLineLength = 1000;

/** Reads the failed derivations' logs from the store into the builds' logs, and emits their events. */
export async function reportFailures(
  { nix, log }: { readonly nix: Store; readonly log: Log },
  decisions: ReadonlyMap<ReadyWork, Decision>,
  analysis: FailureAnalysis,
  signal: AbortSignal,
): Promise<void> {
  // A failure that is retried is not reported: it may not fail the next time.
  const final = [...decisions].filter(([, decision]) => decision.type === "verdict").map(([work]) => work);
  const brokenHosts = new Map<StorePath, ReadyWork[]>();
  for (const work of final) {
    for (const cause of analysis.brokenBy.get(work.evaluation.drvPath) ?? []) {
      brokenHosts.set(cause, [...(brokenHosts.get(cause) ?? []), work]);
    }
  }
  for (const [drvPath, works] of brokenHosts) {
    const cause = analysis.causes.get(drvPath);
    if (cause === undefined || reportedKinds[cause.kind] === undefined) continue;
    const builds = new Set(works.flatMap((work) => [...work.watchers]));
    for (const build of builds) {
      const hosts = hostsOf(works, build);
      const known = build.failures.get(drvPath);
      const failure =
        known === undefined
          ? describe(
              drvPath,
              cause,
              hosts,
              await storeFullLog({ nix, log }, build, { drvPath, machine: cause.machine }, signal),
            )
          : { ...known, hosts };
      sayFailure(build, failure);
    }
  }
}

/**
 * Hosts that need a derivation which failed before, in every build that wants them: they would only build it, and
 * fail by it, again. Their decisions; the failure is said again with these hosts.
 */
export async function reportKnownFailures(
  nix: Store,
  works: readonly ReadyWork[],
): Promise<ReadonlyMap<ReadyWork, Decision>> {
  const decisions = new Map<ReadyWork, Decision>();
  for (const work of works) {
    const builds = [...work.watchers];
    if (builds.length === 0 || builds.some((build) => build.failures.size === 0)) continue;
    const needed = await nix.unbuilt(work.evaluation.drvPath);
    const failures = builds.map((build) =>
      build.failures.values().find(({ drvPath, kind }) => kind !== "infra" && needed.has(drvPath)),
    );
    const [first] = failures;
    if (first === undefined || failures.includes(undefined)) continue;
    for (const [index, build] of builds.entries()) {
      const failure = failures[index];
      if (failure !== undefined) sayFailure(build, { ...failure, hosts: hostsOf([work], build) });
    }
    const verdict = first.kind === "timed-out" ? "timed-out" : "build-failed";
    decisions.set(work, { type: "verdict", verdict, reason: `${first.name}: ${first.reason}` });
  }
  return decisions;
}

function sayFailure(build: RunningBuild, failure: DerivationFailure): void {
  if (!build.failures.has(failure.drvPath)) build.failures.set(failure.drvPath, failure);
  build.record.emit({ type: "derivation-failed", ...failure });
}

const hostsOf = (works: readonly ReadyWork[], build: RunningBuild): HostRef[] =>
  works.filter((work) => work.watchers.has(build)).map(({ repo, host }) => ({ repo, host }));

interface StoredLog {
  readonly tail: readonly string[];
  readonly log?: number;
}

function describe(
  drvPath: StorePath,
  cause: FailureCause,
  hosts: HostRef[],
  stored: StoredLog,
): DerivationFailure {
  return {
    drvPath,
    name: cause.name,
    kind: reportedKinds[cause.kind] ?? "failed",
    reason: boundedText(cause.reason),
    exitCode: cause.exitCode,
    phase: cause.phase,
    machine: cause.machine,
    // What Nix has to say about it comes after what its builder said.
    tail: [...stored.tail, ...(cause.lines ?? []).map((line) => line.slice(0, tailLineLength))],
    hosts,
    log: stored.log,
  };
}

/** The store has the true bytes of a log; what came live is the second best. */
async function storeFullLog(
  { nix, log }: { readonly nix: Store; readonly log: Log },
  build: RunningBuild,
  { drvPath, machine }: { readonly drvPath: StorePath; readonly machine: string | undefined },
  signal: AbortSignal,
): Promise<StoredLog> {
  const live = build.logs.tail(drvPath);
  const decoder = new TextDecoder();
  let full: ReturnType<RunningBuild["logs"]["openFull"]> | undefined;
  let end = "";
  try {
    await nix.readLog(
      drvPath,
      async (chunk) => {
        const text = decoder.decode(chunk, { stream: true });
        if (text === "") return;
        full ??= build.logs.openFull(drvPath, machine);
        await full.write(text);
        end = (end + text).slice(-tailBytes);
      },
      signal,
    );
  } catch (error) {
    signal.throwIfAborted();
    log.warn({ drvPath, err: error }, "the log of a failed derivation could not be read from the store");
  }
  if (full === undefined) return { tail: live };
  const lines = end.replace(/\n$/, "").split("\n").slice(-tailLines);
  return { tail: lines.map((line) => line.slice(0, tailLineLength)), log: full.log };
}
