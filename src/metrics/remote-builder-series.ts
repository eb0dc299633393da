// Nix's remote builders, by what was built on them: nobody asks the machines themselves.
import { Counter, Gauge, type Registry } from "prom-client";
import type { Clock } from "../base/clock.ts";

export const remoteResults = ["built", "failed", "infra-failed", "interrupted"] as const;

export interface RemoteBuilderSeries {
  /** @param machine `ssh://arm1` */
  observeRemoteBuild(machine: string, news: "started" | "refused" | (typeof remoteResults)[number]): void;
}

/** Labels live as long as the builder, and its nix.conf may name another machine every day. */
const mostMachines = 64;
const others = "other";

/** @param machines those of nix.conf: they have their series before anything is built on them */
export function createRemoteBuilderSeries(
  registry: Registry,
  machines: readonly string[],
  clock: Pick<Clock, "now">,
): RemoteBuilderSeries {
  const registers = [registry];
  const labelNames = ["machine"];
  const started = new Counter({
    name: "homelab_deploy_remote_builder_derivations_started_total",
    help: "Derivations that Nix began to build on a remote builder.",
    labelNames,
    registers,
  });
  const ended = new Counter({
    name: "homelab_deploy_remote_builder_derivations_total",
    help: "Derivations whose build on a remote builder ended.",
    labelNames: [...labelNames, "result"],
    registers,
  });
  const refusals = new Counter({
    name: "homelab_deploy_remote_builder_refusals_total",
    help: "Nix processes that could not build on a remote builder, such as when it does not answer.",
    labelNames,
    registers,
  });
  const lastSuccess = new Gauge({
    name: "homelab_deploy_remote_builder_last_success_timestamp_seconds",
    help: "When a remote builder last built something; 0 when it did not since the start.",
    labelNames,
    registers,
  });
  const lastFailure = new Gauge({
    name: "homelab_deploy_remote_builder_last_failure_timestamp_seconds",
    help: "When a remote builder last did not answer, or was lost during a build; 0 when it was not since the start.",
    labelNames,
    registers,
  });
  const known = new Set<string>();

  /** The label for a machine, whose series exist from now on. */
  function labelFor(machine: string): string {
    if (known.has(machine)) return machine;
    if (known.size >= mostMachines && machine !== others) return labelFor(others);
    known.add(machine);
    for (const counter of [started, refusals]) counter.inc({ machine }, 0);
    for (const result of remoteResults) ended.inc({ machine, result }, 0);
    for (const time of [lastSuccess, lastFailure]) time.set({ machine }, 0);
    return machine;
  }
  for (const machine of machines) labelFor(machine);

  return {
    observeRemoteBuild(name, news) {
      const machine = labelFor(name);
      const now = clock.now().getTime() / 1000;
      if (news === "started") started.inc({ machine });
      else if (news === "refused") refusals.inc({ machine });
      else ended.inc({ machine, result: news });
      if (news === "built") lastSuccess.set({ machine }, now);
      if (news === "refused" || news === "infra-failed") lastFailure.set({ machine }, now);
    },
  };
}
