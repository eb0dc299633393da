import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { BuildState, HostState } from "../protocol/build-state.ts";
import type { BuildEvent, FinishedHost } from "../protocol/events.ts";
import { fullName, isHostName, type BranchName, type RepoName } from "../protocol/names.ts";
import { buildOutcomes, isOwnFault, isSuccess, outcomeOf } from "../protocol/verdicts.ts";
import { createHostSeries } from "./host-series.ts";

/** Seconds: from a fleet that is already there to a kernel for every host. */
const durationBuckets = [5, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400];

export const evaluationResults = ["succeeded", "failed", "timed-out"] as const;

export interface BuildSeries {
  /** An event that was just stored, and the state of its build with it. Each once. */
  observe(event: BuildEvent, state: BuildState): void;
  /** What an earlier run of the builder knew: a build from the event log, oldest first. Counts nothing. */
  restore(state: BuildState): void;
}

/**
 * @param branches the configured branch of each repo. What is known about a host follows only builds of that: a
 *   failed build of somebody's branch says nothing about the fleet.
 */
export function createBuildSeries(
  registry: Registry,
  branches: ReadonlyMap<RepoName, BranchName>,
): BuildSeries {
  const registers = [registry];
  const hosts = createHostSeries(registry);
  const duration = new Histogram({
    name: "homelab_deploy_build_duration_seconds",
    help: "From the acceptance of a build to its verdict.",
    labelNames: ["result"],
    buckets: durationBuckets,
    registers,
  });
  const rejected = new Counter({
    name: "homelab_deploy_requests_rejected_total",
    help: "Build requests that could not be served, such as those for unknown hosts.",
    registers,
  });
  const evaluations = new Counter({
    name: "homelab_deploy_evaluations_total",
    help: "Evaluations of hosts.",
    labelNames: ["result"],
    registers,
  });
  const remembered = new Counter({
    name: "homelab_deploy_evaluations_remembered_total",
    help: "Hosts that needed no evaluation, because that commit was evaluated before.",
    registers,
  });
  const retries = new Counter({
    name: "homelab_deploy_infra_retries_total",
    help: "How often work was tried again after an infrastructure fault.",
    registers,
  });
  // A time, and no counter: a builder that keeps starting again keeps counting from 0.
  const givenUp = new Gauge({
    name: "homelab_deploy_last_given_up_build_timestamp_seconds",
    help: "When a build was last given up that was resumed again and again; 0 when none is known.",
    registers,
  });
  let givenUpAt = 0;
  for (const result of buildOutcomes) if (result !== "rejected") duration.zero({ result });
  for (const result of evaluationResults) evaluations.inc({ result }, 0);

  /** The commit of the repo in this build, when it is the head of the configured branch. */
  function branchCommit(state: BuildState, repo: RepoName) {
    const source = state.sources.find((each) => each.repo === repo);
    return source?.branch !== undefined && source.branch === branches.get(repo) ? source.commit : undefined;
  }

  function noteGivenUp({ code, finishedAt }: BuildState): void {
    if (code !== "GIVEN_UP" || finishedAt === undefined) return;
    givenUpAt = Math.max(givenUpAt, Date.parse(finishedAt) / 1000);
    givenUp.set(givenUpAt);
  }

  /** When the last build of the whole repo was accepted: what is older knows an older fleet. */
  const inventoryTimes = new Map<RepoName, string>();

  function addHosts(state: BuildState): void {
    const acceptedAt = state.startedAt ?? "";
    for (const { repo } of state.sources) {
      if (branchCommit(state, repo) === undefined) continue;
      if (acceptedAt < (inventoryTimes.get(repo) ?? "")) continue;
      const built = [...state.hosts.values()].filter((host) => host.repo === repo);
      if (state.trigger === "poll") {
        // Polling asks for all hosts of the repo: who is not among them is gone.
        const skipped = state.skipped.flatMap(({ host }) => (isHostName(host) ? [{ repo, host }] : []));
        inventoryTimes.set(repo, acceptedAt);
        hosts.setInventory(repo, [...built, ...skipped]);
      } else {
        for (const host of built) hosts.add(host);
      }
    }
  }

  function finishHost(finished: FinishedHost, state: BuildState, at: string): void {
    const commit = branchCommit(state, finished.repo);
    if (commit === undefined) return;
    const acceptedAt = state.startedAt ?? "";
    if (isSuccess(finished.verdict)) {
      hosts.setLastBuild(finished, { acceptedAt, success: { commit, finishedAt: new Date(at) } });
    } else if (isOwnFault(finished.verdict)) hosts.setLastBuild(finished, { acceptedAt });
  }

  function countEvaluation(host: HostState | undefined): void {
    if (host?.evaluated !== undefined) return;
    if (host?.finished?.verdict === "eval-failed") evaluations.inc({ result: "failed" });
    if (host?.finished?.verdict === "timed-out") evaluations.inc({ result: "timed-out" });
  }

  return {
    observe(event, state) {
      switch (event.type) {
        case "accepted":
        case "resumed":
          // A host that is not in the list counts as gone, so wait until all are named.
          if (state.isPartial !== true) addHosts(state);
          return;
        case "evaluated":
          for (const host of event.hosts) {
            if (host.remembered) remembered.inc();
            else evaluations.inc({ result: "succeeded" });
          }
          return;
        case "hosts-finished":
          for (const host of event.hosts) {
            hosts.count(host, state.trigger ?? "manual", outcomeOf(host));
            countEvaluation(state.hosts.get(fullName(host)));
            finishHost(host, state, event.at);
          }
          return;
        case "retrying":
          retries.inc();
          return;
        case "finished":
          noteGivenUp(state);
          if (event.verdict !== "rejected") {
            duration.observe({ result: outcomeOf(event) }, event.durationMs / 1000);
          }
          return;
        case "rejected":
          rejected.inc();
          return;
        case "building":
        case "derivation-failed":
        case "warning":
          return;
      }
    },
    restore(state) {
      if (state.isPartial !== true) addHosts(state);
      noteGivenUp(state);
      for (const { finished } of state.hosts.values()) {
        if (finished !== undefined) finishHost(finished, state, state.finishedAt ?? state.startedAt ?? "");
      }
    },
  };
}
