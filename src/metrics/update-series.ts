import { Gauge, type Registry } from "prom-client";
import type { RepoName } from "../protocol/names.ts";
import type { UpdateEvent } from "../protocol/update-events.ts";

/** More open pull requests than this of a repo get no series. */
const maxPullRequests = 20;
/** Nor more inputs. */
const maxInputs = 100;

/** The results of the updates of each repo. */
export interface UpdateSeries {
  /** The events of a repo come in their order; the same one may come again. */
  observeUpdate(event: UpdateEvent): void;
}

/** @param repos that this builder has; of others nothing is shown */
export function createUpdateSeries(registry: Registry, repos: ReadonlySet<RepoName>): UpdateSeries {
  const lastSuccess = new Gauge({
    name: "homelab_deploy_update_last_success_timestamp_seconds",
    help: "When an update of the repo's inputs last landed, or there was nothing to update.",
    labelNames: ["repo"],
    registers: [registry],
  });
  const created = new Gauge({
    name: "homelab_deploy_update_pull_request_created_timestamp_seconds",
    help: "When a pull request of an update was opened that is still open, as the newest update knows.",
    labelNames: ["repo", "number"],
    registers: [registry],
  });
  const unavailable = new Gauge({
    name: "homelab_deploy_update_input_unavailable",
    help: "1 when the newest update could not reach the input and that needs a person, 0 when it may pass by itself.",
    labelNames: ["repo", "input"],
    registers: [registry],
  });
  const shown = new Map<RepoName, readonly number[]>();
  const stuck = new Map<RepoName, readonly string[]>();

  function showUnavailable(repo: RepoName, inputs: NonNullable<UpdateEvent["unavailable"]>): void {
    for (const input of stuck.get(repo) ?? []) unavailable.remove({ repo, input });
    const kept = inputs.slice(0, maxInputs);
    for (const { input, needsPerson } of kept) unavailable.set({ repo, input }, needsPerson ? 1 : 0);
    stuck.set(
      repo,
      kept.map(({ input }) => input),
    );
  }

  return {
    observeUpdate({ repo, outcome, at, pullRequests, unavailable: inputs }) {
      if (!repos.has(repo)) return;
      if (inputs !== undefined) showUnavailable(repo, inputs);
      if (outcome === "landed" || outcome === "no-change") lastSuccess.set({ repo }, seconds(at));
      if (pullRequests === undefined) return;
      for (const number of shown.get(repo) ?? []) created.remove({ repo, number });
      const open = pullRequests.slice(0, maxPullRequests);
      for (const { number, createdAt } of open) created.set({ repo, number }, seconds(createdAt));
      shown.set(
        repo,
        open.map(({ number }) => number),
      );
    },
  };
}

const seconds = (time: string): number => Math.floor(Date.parse(time) / 1000);
