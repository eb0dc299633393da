import { Gauge, type Registry } from "prom-client";
import type { RepoName } from "../protocol/names.ts";

/** More inputs than this of a repo get no series: a repo must not be able to fill Prometheus. */
const maxInputs = 500;
const maxNameLength = 128;

/** What the flake of each repo is pinned to. */
export interface InputSeries {
  /**
   * These are all inputs of the repo's flake: series of others go.
   *
   * @param inputs when the pinned state of each was made, in seconds since 1970
   */
  setInputs(repo: RepoName, inputs: ReadonlyMap<string, number>): void;
}

export function createInputSeries(registry: Registry): InputSeries {
  const lastModified = new Gauge({
    name: "homelab_deploy_flake_input_last_modified_timestamp_seconds",
    help: "When the state of the flake's input was made that the newest accepted commit of the repo's branch pins.",
    labelNames: ["repo", "input"],
    registers: [registry],
  });
  const known = new Map<RepoName, readonly string[]>();

  return {
    setInputs(repo, inputs) {
      for (const input of known.get(repo) ?? []) lastModified.remove({ repo, input });
      const kept = [...inputs].filter(([input]) => input.length <= maxNameLength).slice(0, maxInputs);
      for (const [input, seconds] of kept) lastModified.set({ repo, input }, seconds);
      known.set(
        repo,
        kept.map(([input]) => input),
      );
    },
  };
}
