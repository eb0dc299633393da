// A build as one JSON document, for `--json`. Additive only.
import type { BuildState } from "../../protocol/build-state.ts";

export function buildJson(state: BuildState): object {
  const { hosts, nextIndex, ...rest } = state;
  return {
    ...rest,
    events: nextIndex,
    hosts: [...hosts.values()].map(({ repo, host, phase, evaluated, finished }) => ({
      repo,
      host,
      phase,
      ...(evaluated === undefined
        ? {}
        : { drvPath: evaluated.drvPath, outPath: evaluated.outPath, remembered: evaluated.remembered }),
      ...(finished === undefined
        ? {}
        : {
            verdict: finished.verdict,
            reason: finished.reason,
            details: finished.details,
            cached: finished.cached,
            code: finished.code,
            durationMs: finished.durationMs,
          }),
    })),
  };
}
