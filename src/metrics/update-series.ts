import { Gauge, type Registry } from "prom-client";
import type { RepoName } from "../protocol/names.ts";
import type { UpdateEvent } from "../protocol/update-events.ts";

/** More open pull requests than this of a repo get no series. */
const maxPullRequests = 20;

/** What became of the updates of each repo. */
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
  const shown = new Map<RepoName, readonly number[]>();

  return {
    observeUpdate({ repo, outcome, at, pullRequests }) {
      if (!repos.has(repo)) return;
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
