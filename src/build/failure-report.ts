// Says which derivations failed, once in each build, with all hosts that they break and their full logs.
import { messageOf } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { FailureAnalysis, FailureCause, Nix } from "../nix/nix.ts";
import { boundedText, type DerivationFailure, type HostRef } from "../protocol/events.ts";
import type { StorePath } from "../protocol/names.ts";
import type { ReadyWork } from "./build-lane.ts";
import type { Decision } from "./decide-verdicts.ts";
import type { RunningBuild } from "./running-build.ts";

const reportedKinds = {
  failed: "failed",
  "timed-out": "timed-out",
  infra: "infra",
  "no-builder": undefined,
} as const;
const tailLines = 50;
const tailBytes = 64 * 1024;
const tailLineLength = 1000;

/** Reads the failed derivations' logs from the store into the builds' logs, and emits their events. */
export async function reportFailures(
  { nix, log }: { readonly nix: Nix; readonly log: Log },
  decisions: ReadonlyMap<ReadyWork, Decision>,
  analysis: FailureAnalysis,
  signal: AbortSignal,
): Promise<void> {
  // What is tried again is not reported: perhaps it does not fail the next time.
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
      if (build.failuresSaid.has(drvPath)) continue;
      build.failuresSaid.add(drvPath);
      const hosts = works
        .filter((work) => work.watchers.has(build))
        .map(({ repo, host }): HostRef => ({ repo, host }));
      const stored = await storeFullLog(nix, build, drvPath, log, signal);
      build.record.emit({ type: "derivation-failed", ...describe(drvPath, cause, hosts, stored) });
    }
  }
}

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
    ...(cause.exitCode === undefined ? {} : { exitCode: cause.exitCode }),
    ...(cause.phase === undefined ? {} : { phase: cause.phase }),
    tail: [...stored.tail],
    hosts,
    ...(stored.log === undefined ? {} : { log: stored.log }),
  };
}

/** The store has the true bytes of a log; what came live is the second best. */
async function storeFullLog(
  nix: Nix,
  build: RunningBuild,
  drvPath: StorePath,
  log: Log,
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
        full ??= build.logs.openFull(drvPath);
        await full.write(text);
        end = (end + text).slice(-tailBytes);
      },
      signal,
    );
  } catch (error) {
    signal.throwIfAborted();
    log.warn(
      { drvPath, error: messageOf(error) },
      "the log of a failed derivation could not be read from the store",
    );
  }
  if (full === undefined) return { tail: live };
  const lines = end.replace(/\n$/, "").split("\n").slice(-tailLines);
  return { tail: lines.map((line) => line.slice(0, tailLineLength)), log: full.log };
}
