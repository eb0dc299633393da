// The plan of a rollout, from what is known about its hosts before anything is signed: which wave each is in, what it goes from and
// to, and who is left out and why.
import { matchesGlob, parseGlob } from "../base/glob.ts";
import { decidePlan, type HostFacts, type PlannedHost } from "../deploy/ordering/decide-plan.ts";
import { isHostName, type HostName, type StorePath } from "../protocol/names.ts";
import type { PlannedRolloutHost, PlannedWave } from "../protocol/rollout/rollout-events.ts";
import type { RolloutPolicy, WaveRule } from "../protocol/rollout/rollout-policy.ts";

export interface RolloutPlan {
  readonly waves: readonly PlannedWave[];
  readonly hosts: readonly PlannedRolloutHost[];
}

export interface PlanFacts {
  readonly hosts: readonly HostFacts[];
  readonly policy: Pick<RolloutPolicy, "waves" | "atOnce">;
  /** Commits of the branch that are newer than what is rolled out: a host that runs one stays. */
  readonly newerCommits: ReadonlySet<string>;
  /** Whether this host went back from this system in a rollout before: nobody but a person tries it again. */
  readonly wentBack: (host: HostName, path: StorePath) => boolean;
}

const specification = { kind: "activate", action: "switch", reboot: false, allowDrift: false } as const;

/** Empty waves are left out. Hosts that others need come last, whatever the rules say. */
export function planRollout({ hosts, policy, newerCommits, wentBack }: PlanFacts, now: Date): RolloutPlan {
  const planned = decidePlan(hosts, specification, now);
  const rules = policy.atOnce ? [] : policy.waves.length > 0 ? policy.waves : usualWaves(planned);
  const waves = [
    ...rules.map((rule) => ({ name: rule.name, manual: rule.manual, oneByOne: false, takes: takenBy(rule) })),
    { name: policy.atOnce ? "all" : "the rest", manual: false, oneByOne: false, takes: () => true },
  ];
  const needed = { name: "needed by others", manual: false, oneByOne: true };
  const members = [...waves, needed].map((_, index) =>
    planned.filter((host) => waveOf(host, waves) === index),
  );
  const used = [...waves, needed].flatMap(({ name, manual, oneByOne }, index) => {
    const of = members[index] ?? [];
    return of.length === 0 ? [] : [{ wave: { name, manual, oneByOne }, of }];
  });
  return {
    waves: used.map(({ wave }) => wave),
    hosts: used.flatMap(({ of }, wave) =>
      of.map((host) => plannedHost(host, wave, { newerCommits, wentBack })),
    ),
  };
}

type Takes = (host: PlannedHost) => boolean;

const waveOf = (host: PlannedHost, waves: readonly { readonly takes: Takes }[]): number =>
  host.isNeeded ? waves.length : waves.findIndex(({ takes }) => takes(host));

/** By the numbers that hosts give themselves, 0 being the canaries, and then by tier. */
function usualWaves(planned: readonly PlannedHost[]): readonly WaveRule[] {
  const numbers = new Set(planned.flatMap(({ state }) => state?.wave ?? []));
  return [
    ...[...numbers]
      .toSorted((a, b) => a - b)
      .map((wave) => ({ name: wave === 0 ? "canary" : `wave ${wave}`, wave, manual: false })),
    { name: "test", tiers: ["test"], manual: false },
    { name: "prod", tiers: ["prod"], manual: false },
  ];
}

function takenBy({ wave, tiers, roles, hosts, labels }: WaveRule): Takes {
  const names = hosts?.map((pattern) => {
    const glob = isHostName(pattern) ? undefined : parseGlob(pattern);
    return (host: string): boolean => (glob === undefined ? host === pattern : matchesGlob(glob, host));
  });
  return ({ address, state }) =>
    (wave === undefined || state?.wave === wave) &&
    (tiers === undefined || tiers.includes(state?.tier ?? "")) &&
    (roles === undefined || roles.includes(state?.role ?? "")) &&
    (names === undefined || names.some((matches) => matches(address.host))) &&
    Object.entries(labels ?? {}).every(([key, value]) => state?.labels[key] === value);
}

function plannedHost(
  { address, to, from, fromCommit, state, isNeeded, isUnchanged, refusal }: PlannedHost,
  wave: number,
  { newerCommits, wentBack }: Pick<PlanFacts, "newerCommits" | "wentBack">,
): PlannedRolloutHost {
  const host = {
    host: address.host,
    wave,
    path: to,
    from,
    fromCommit,
    role: state?.role,
    isNeeded,
    failedUnits: [...(state?.failedUnits ?? [])],
  };
  if (refusal?.code === "HOST_ABSENT") {
    return { ...host, leftOut: to === undefined ? "refused" : "absent", detail: refusal.detail };
  }
  if (refusal !== undefined) {
    const leftOut = refusal.code === "HELD" ? "held" : "refused";
    return { ...host, leftOut, detail: `${refusal.detail}; ${refusal.hint}`.slice(0, 2000) };
  }
  if (isUnchanged) return { ...host, leftOut: "unchanged" };
  if (to !== undefined && wentBack(address.host, to)) {
    const detail = "it went back from this very system before; homelab-deploy deploy tries it again";
    return { ...host, leftOut: "refused", detail };
  }
  if (fromCommit !== undefined && newerCommits.has(fromCommit)) {
    const detail = `it runs the newer commit ${fromCommit.slice(0, 7)}; deploy it by itself, with --allow-downgrade, to go back`;
    return { ...host, leftOut: "refused", detail };
  }
  return host;
}
