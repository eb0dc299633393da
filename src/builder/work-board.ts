// Who wants what and how far it is: the builds this process holds and the work they watch. The loops (evaluation
// pool, output check, lanes) take work from here and bring back what happened to it; only this file changes stages
// for good and says so in the builds' records.
import type { Clock } from "../base/clock.ts";
import { createNotifier, type Notifier } from "../base/notifier.ts";
import { internalCode } from "../base/errors.ts";
import { retryDelay, type RetryPolicy } from "../base/retry.ts";
import type { HostEvaluation } from "../nix/evaluator.ts";
import { boundedText, type FinishedHost, type HostRef } from "../protocol/events.ts";
import { fullName, type BuildId } from "../protocol/names.ts";
import type { Priority } from "../protocol/request.ts";
import { decideBuildVerdict, isSuccess } from "../protocol/verdicts.ts";
import type { Decision } from "./decide-verdicts.ts";
import {
  eachBuild,
  finishedHost,
  refs,
  reportEvaluations,
  sayEvaluated,
  type FinalDecision,
} from "./say-work.ts";
import {
  freshWorkKey,
  workKey,
  type HostWork,
  type Stage,
  type WorkKey,
  type BuildSource,
  type RunningBuild,
} from "./work.ts";

export interface WorkBoard {
  readonly builds: ReadonlyMap<BuildId, RunningBuild>;
  readonly notifiers: Readonly<Record<"evaluation" | "check" | "serving" | Priority, Notifier>>;
  inStage(stage: Stage): HostWork[];
  /** The source that a piece of work is from, as any of the builds that watch it knows it. */
  sourceOf(work: HostWork): BuildSource | undefined;
  /** Takes a build on: shares work that is already there, recalls evaluations, makes the rest. */
  add(build: RunningBuild): void;
  /** The build wants nothing any more: its open hosts end as cancelled. False when it is not here. */
  cancel(id: BuildId): boolean;
  /** Another builder has it: nothing more is said about it. */
  forget(id: BuildId): void;
  move(works: readonly HostWork[], stage: "evaluation" | "evaluating" | "check" | "ready" | "building"): void;
  /** What hosts evaluate to. */
  evaluated(results: ReadonlyMap<HostWork, HostEvaluation>, durationMs: number, remembered?: boolean): void;
  decide(decisions: ReadonlyMap<HostWork, Decision>): void;
  /** Something that all of them need is down: they are retried after the delay, which does not count as an attempt. */
  postpone(works: readonly HostWork[], reason: string, delayMs: number): void;
  /** Calls back when work that a process was started for is not wanted any more. */
  onUnwanted(listener: (work: HostWork) => void): () => void;
  warn(builds: Iterable<RunningBuild>, message: string): void;
  /** Stops the timers of delayed work. */
  close(): void;
}

export interface WorkBoardOptions {
  readonly clock: Clock;
  readonly retryPolicy: RetryPolicy;
  /** Success waits for a proof that the cache serves it. */
  readonly provesServing: boolean;
  /** All hosts of this build have their verdict, and its last event is on the way. */
  readonly onFinished: (build: RunningBuild) => void;
}

/** While no host gets a verdict or spends an attempt; what is interrupted more often spends one, too. */
const mostInterruptions = 20;

export function createWorkBoard({
  clock,
  retryPolicy,
  provesServing,
  onFinished,
}: WorkBoardOptions): WorkBoard {
  const builds = new Map<BuildId, RunningBuild>();
  const works = new Map<WorkKey, HostWork>();
  const unwantedListeners = new Set<(work: HostWork) => void>();
  const closed = new AbortController();
  const notifiers = {
    evaluation: createNotifier(),
    check: createNotifier(),
    serving: createNotifier(),
    interactive: createNotifier(),
    batch: createNotifier(),
  };
  let order = 0;
  /** How many verdicts and spent attempts there were. */
  let ends = 0;

  const notifyAll = (): void => Object.values(notifiers).forEach((notifier) => notifier.notify());

  function move(moved: readonly HostWork[], stage: Parameters<WorkBoard["move"]>[1]): void {
    const wanted = moved.filter((work) => work.stage !== "done");
    for (const work of wanted) work.stage = stage;
    if (stage === "building")
      eachBuild(wanted, (build, hosts) => build.record.emit({ type: "building", hosts: refs(hosts) }));
    if (stage === "evaluating") eachBuild(wanted, reportEvaluations);
    else notifyAll();
  }

  function evaluated(
    results: ReadonlyMap<HostWork, HostEvaluation>,
    durationMs: number,
    remembered = false,
  ): void {
    const settled = [...results.keys()].filter((work) => work.stage !== "done");
    for (const work of settled) {
      work.evaluation = results.get(work);
      work.remembered = remembered;
      work.stage = "check";
    }
    eachBuild(settled, (build, hosts) => {
      sayEvaluated(build, hosts, durationMs);
      reportEvaluations(build);
    });
    release(settled);
    notifiers.check.notify();
  }

  /** Whoever only wants to know what these hosts evaluate to knows it now. */
  function release(settled: readonly HostWork[]): void {
    eachBuild(settled, (build, hosts) => {
      if (build.evaluatesOnly !== true) return;
      for (const work of hosts) {
        build.open.delete(fullName(work));
        work.watchers.delete(build);
      }
      finishBuildIfDone(build);
    });
    for (const work of settled) retire(work);
  }

  function decide(decisions: ReadonlyMap<HostWork, Decision>): void {
    const finished = new Map<HostWork, FinalDecision>();
    const delayed = new Map<string, HostWork[]>();
    const again: HostWork[] = [];
    for (const [work, decision] of decisions) {
      if (work.stage === "done") continue;
      if (decision.type === "again" && isFree(work)) {
        again.push(work);
        continue;
      }
      if (awaitsServing(work, decision)) continue;
      if (decision.type === "verdict") finished.set(work, decision);
      else if (decision.type === "bug")
        finished.set(work, { ...decision, type: "verdict", verdict: "infra-failed", code: internalCode });
      else if (work.attempt >= retryPolicy.attempts) {
        const reason =
          work.attempt === 1 ? decision.reason : `${decision.reason} (tried ${work.attempt} times)`;
        finished.set(work, { ...decision, type: "verdict", verdict: "infra-failed", reason });
      } else delayed.set(decision.reason, [...(delayed.get(decision.reason) ?? []), work]);
    }
    ends += finished.size + delayed.size;
    move(again, "check");
    for (const [reason, group] of delayed) delay(group, reason);
    eachBuild([...finished.keys()], (build, hosts) => finish(build, hosts, (work) => finished.get(work)));
    for (const work of finished.keys()) retire(work);
  }

  /**
   * Whether this interruption costs no attempt. Where another host came to its end since the last one, there are fewer
   * left that can interrupt it.
   */
  function isFree(work: HostWork): boolean {
    if (work.interruptedAt !== ends) work.interruptions = 0;
    work.interruptedAt = ends;
    return work.interruptions++ < mostInterruptions;
  }

  /** Takes what only the proof that it is served keeps from its verdict. */
  function awaitsServing(work: HostWork, decision: Decision): boolean {
    if (!provesServing || decision.type !== "verdict" || decision.cached !== undefined) return false;
    if (!isSuccess(decision.verdict)) return false;
    work.outcome ??= decision.verdict;
    work.stage = "serving";
    notifiers.serving.notify();
    return true;
  }

  function delay(group: readonly HostWork[], reason: string): void {
    for (const work of group) work.attempt++;
    const attempt = Math.max(...group.map((work) => work.attempt));
    postpone(group, reason, Math.round(retryDelay(retryPolicy, attempt)));
  }

  function postpone(postponed: readonly HostWork[], reason: string, delayMs: number): void {
    const group = postponed.filter((work) => work.stage !== "done");
    if (group.length === 0) return;
    for (const work of group) work.stage = "delayed";
    const attempt = Math.max(...group.map((work) => work.attempt));
    eachBuild(group, (build, hosts) =>
      build.record.emit({
        type: "retrying",
        hosts: refs(hosts),
        reason: boundedText(reason),
        attempt,
        delayMs,
      }),
    );
    void resumeAfter(group, delayMs);
  }

  async function resumeAfter(group: readonly HostWork[], delayMs: number): Promise<void> {
    try {
      await clock.sleep(delayMs, closed.signal);
    } catch {
      return; // the board is closed
    }
    const waiting = group.filter((work) => work.stage === "delayed");
    const isEvaluated = (work: HostWork): boolean => work.evaluation !== undefined;
    move(
      waiting.filter((work) => !isEvaluated(work)),
      "evaluation",
    );
    move(waiting.filter(isEvaluated), "check");
  }

  function finish(
    build: RunningBuild,
    hosts: readonly HostWork[],
    decisionOf: (work: HostWork) => FinalDecision | undefined,
  ): void {
    const durationMs = Math.round(clock.monotonic() - build.startedAt);
    const finished = hosts.map((work): FinishedHost => {
      const decision = decisionOf(work);
      build.verdicts.set(fullName(work), decision?.verdict ?? "cancelled");
      if (decision?.code === internalCode) build.hasBug = true;
      build.open.delete(fullName(work));
      work.watchers.delete(build);
      return finishedHost(work, decision, durationMs);
    });
    if (finished.length > 0) build.record.emit({ type: "hosts-finished", hosts: finished });
    finishBuildIfDone(build);
  }

  function finishBuildIfDone(build: RunningBuild): void {
    if (build.open.size > 0 || !builds.delete(build.id)) return;
    onFinished(build);
  }

  /** Nobody waits for it any more, or it has its verdict. */
  function retire(work: HostWork): void {
    if (work.watchers.size > 0) return;
    const wasRunning = work.stage === "evaluating" || work.stage === "building";
    work.stage = "done";
    works.delete(work.key);
    if (wasRunning) for (const listener of unwantedListeners) listener(work);
  }

  function want(build: RunningBuild, source: BuildSource, ref: HostRef): HostWork {
    const shared = workKey(source.repo, source, ref.host);
    const mayShare = source.isFresh !== true || works.get(shared)?.remembered !== true;
    const key = mayShare ? shared : freshWorkKey(shared);
    const known = works.get(key);
    if (known !== undefined) return known;
    const work: HostWork = {
      key,
      repo: source.repo,
      commit: source.commit,
      variant: source.variant,
      host: ref.host,
      order: order++,
      watchers: new Set([build]),
      stage: "evaluation",
      evaluation: undefined,
      remembered: false,
      goesFirst: false,
      outcome: undefined,
      attempt: 1,
      interruptions: 0,
      reevaluated: false,
    };
    works.set(key, work);
    return work;
  }

  function add(build: RunningBuild): void {
    builds.set(build.id, build);
    const shared: HostWork[] = [];
    const recalled = new Map<HostWork, HostEvaluation>();
    const recalledFailures = new Map<HostWork, Decision>();
    for (const ref of build.hosts) {
      const name = fullName(ref);
      if (build.verdicts.get(name) !== undefined) continue;
      const source = build.sources.get(ref.repo);
      if (source === undefined) throw new Error(`build ${build.id} has no source for ${name}`);
      const work = want(build, source, ref);
      work.watchers.add(build);
      build.open.set(name, work);
      if (work.evaluation !== undefined) shared.push(work);
      const known = work.stage === "evaluation" ? source.memory.get(ref.host) : undefined;
      if (known === undefined) continue;
      if ("drvPath" in known) recalled.set(work, known);
      else
        recalledFailures.set(work, {
          type: "verdict",
          verdict: "eval-failed",
          reason: known.message,
          details: known.details,
          warnings: known.warnings,
        });
    }
    if (shared.length > 0) sayEvaluated(build, shared, 0);
    if (build.evaluatesOnly === true) release(shared);
    const underway = shared.filter((work) => work.stage === "building");
    if (underway.length > 0) build.record.emit({ type: "building", hosts: refs(underway) });
    if (recalled.size > 0) evaluated(recalled, 0, true);
    if (recalledFailures.size > 0) decide(recalledFailures);
    reportEvaluations(build);
    finishBuildIfDone(build);
    notifyAll();
  }

  function withdraw(build: RunningBuild): HostWork[] {
    const abandoned = [...build.open.values()];
    for (const work of abandoned) work.watchers.delete(build);
    return abandoned;
  }

  return {
    builds,
    notifiers,
    inStage: (stage) =>
      works
        .values()
        .filter((work) => work.stage === stage)
        .toArray(),
    sourceOf(work) {
      for (const build of work.watchers) {
        const source = build.sources.get(work.repo);
        if (source !== undefined) return source;
      }
      return undefined;
    },
    add,
    cancel(id) {
      const build = builds.get(id);
      if (build === undefined) return false;
      const abandoned = withdraw(build);
      finish(build, abandoned, () => undefined);
      abandoned.forEach(retire);
      return true;
    },
    forget(id) {
      const build = builds.get(id);
      if (build === undefined) return;
      builds.delete(id);
      withdraw(build).forEach(retire);
    },
    move,
    evaluated,
    decide,
    postpone,
    onUnwanted(listener) {
      unwantedListeners.add(listener);
      return () => unwantedListeners.delete(listener);
    },
    warn(warned, message) {
      for (const build of warned) {
        if (build.warningsSaid.has(message)) continue;
        build.warningsSaid.add(message);
        build.record.emit({ type: "warning", message: boundedText(message) });
      }
    },
    close: () => closed.abort(),
  };
}

/** The verdict of a build whose hosts all have theirs. Those of repos that could not be read have none. */
export const verdictOf = ({ hosts, verdicts, unresolved }: RunningBuild) =>
  decideBuildVerdict([
    ...hosts.map((host) => verdicts.get(fullName(host))),
    ...unresolved.map(() => undefined),
  ]);
