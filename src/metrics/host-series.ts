import { Counter, Gauge, type Registry } from "prom-client";
import type { HostRef } from "../protocol/events.ts";
import { fullName, type Commit, type FullHostName, type RepoName } from "../protocol/names.ts";
import { Trigger } from "../protocol/request.ts";
import { hostOutcomes, type HostOutcome } from "../protocol/verdicts.ts";

/** More hosts than this get no series: a repo must not be able to fill Prometheus. */
const maxHosts = 5000;

const triggers = Trigger.options;

/** The series that there are once for every host of the fleet. */
export interface HostSeries {
  /** Makes a host known: all its series are there from now on, those that count with 0. */
  add(host: HostRef): void;
  /** These are all hosts of the repo: series of others go. */
  setInventory(repo: RepoName, hosts: readonly HostRef[]): void;
  count(host: HostRef, trigger: Trigger, outcome: HostOutcome): void;
  /** What happened to the host at the head of its branch. Of a build that is older than what is known, nothing is taken. */
  setLastBuild(host: HostRef, build: LastBuild): void;
}

export interface LastBuild {
  /** RFC 3339, UTC: orders builds. */
  readonly acceptedAt: string;
  readonly success?: { readonly commit: Commit; readonly finishedAt: Date };
}

interface KnownHost {
  readonly host: HostRef;
  revision: string;
  acceptedAt: string;
}

export function createHostSeries(registry: Registry): HostSeries {
  const registers = [registry];
  const labelNames = ["repo", "host"] as const;
  const builds = new Counter({
    name: "homelab_deploy_builds_total",
    help: "Host builds that ended, by what caused them and their verdict; internal-error is a bug in homelab-deploy.",
    labelNames: [...labelNames, "trigger", "result"],
    registers,
  });
  const success = new Gauge({
    name: "homelab_deploy_host_last_build_success",
    help: "Whether the host's last build from its branch succeeded; NaN when none is known. Infrastructure faults and bugs in homelab-deploy do not count.",
    labelNames,
    registers,
  });
  const successTime = new Gauge({
    name: "homelab_deploy_host_last_build_success_timestamp_seconds",
    help: "When the host was last built from its branch; 0 when that is not known to have happened.",
    labelNames,
    registers,
  });
  const info = new Gauge({
    name: "homelab_deploy_host_info",
    help: "The commit that the host was last built from, as a label; always 1.",
    labelNames: [...labelNames, "revision"],
    registers,
  });

  const known = new Map<FullHostName, KnownHost>();

  function add({ repo, host }: HostRef): void {
    const name = fullName({ repo, host });
    if (known.has(name) || known.size >= maxHosts) return;
    known.set(name, { host: { repo, host }, revision: "", acceptedAt: "" });
    for (const trigger of triggers) {
      for (const result of hostOutcomes) builds.inc({ repo, host, trigger, result }, 0);
    }
    success.set({ repo, host }, Number.NaN);
    successTime.set({ repo, host }, 0);
    info.set({ repo, host, revision: "" }, 1);
  }

  function drop({ host: { repo, host }, revision }: KnownHost): void {
    for (const trigger of triggers) {
      for (const result of hostOutcomes) builds.remove({ repo, host, trigger, result });
    }
    success.remove({ repo, host });
    successTime.remove({ repo, host });
    info.remove({ repo, host, revision });
    known.delete(fullName({ repo, host }));
  }

  return {
    add,
    setInventory(repo, hosts) {
      const names = new Set(hosts.map(fullName));
      for (const [name, entry] of known) {
        if (entry.host.repo === repo && !names.has(name)) drop(entry);
      }
      for (const host of hosts) add(host);
    },
    count({ repo, host }, trigger, result) {
      if (known.has(fullName({ repo, host }))) builds.inc({ repo, host, trigger, result });
    },
    setLastBuild({ repo, host }, { acceptedAt, success: succeeded }) {
      const entry = known.get(fullName({ repo, host }));
      if (entry === undefined || acceptedAt < entry.acceptedAt) return;
      entry.acceptedAt = acceptedAt;
      success.set({ repo, host }, succeeded === undefined ? 0 : 1);
      if (succeeded === undefined) return;
      successTime.set({ repo, host }, succeeded.finishedAt.getTime() / 1000);
      info.remove({ repo, host, revision: entry.revision });
      entry.revision = succeeded.commit;
      info.set({ repo, host, revision: entry.revision }, 1);
    },
  };
}
