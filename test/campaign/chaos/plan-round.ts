// What happens in one round, by a seed: how the rollout is to go, what its systems are like, and what comes in between. Pure.
import type { DeployEventType } from "../../../src/protocol/deploy/deploy-events.ts";
import type { Choices } from "../../support/random-choices.ts";
import { memberNames, type Member } from "../../support/lab/chain/members.ts";
import { gateModes, type GateMode } from "./gate-server.ts";

export const killedUnits = {
  listener: "homelab-deploy-listener.service",
  activation: "homelab-deploy-activation.service",
  switch: "homelab-deploy-switch.service",
} as const;

/** `again`: the tip of the branch, `older`: the commit before, `back`: what the host ran before. */
export const handKinds = ["again", "older", "back"] as const;
export type HandKind = (typeof handKinds)[number];

type What =
  | { readonly type: "link" | "power" | "hold"; readonly host: Member; readonly forMs: number }
  | { readonly type: "kill"; readonly host: Member; readonly unit: keyof typeof killedUnits }
  | { readonly type: "nats" | "deployer" | "pause"; readonly forMs: number }
  | { readonly type: "gate"; readonly mode: GateMode; readonly forMs: number }
  | { readonly type: "hand"; readonly host: Member; readonly kind: HandKind }
  | { readonly type: "abort" };

export type Disturbance = What & {
  /** After the beginning, or as soon as a host writes such a line into its journal. */
  readonly when: { readonly afterMs: number } | { readonly host: Member; readonly event: DeployEventType };
};
export type DisturbanceType = Disturbance["type"];

/** `slow`: its switch takes seconds; `looping`: it builds, and does not work; `kernel`: it needs a boot. */
export type Manner = "good" | "slow" | "looping" | "kernel";

export interface RoundPlan {
  /** Of the deployer. */
  readonly rules: Readonly<Record<string, unknown>> & { readonly automatic: boolean };
  /** Somebody starts it, and asks for the reboots as well. */
  readonly reboots: boolean;
  readonly manners: Readonly<Record<Member, Manner>>;
  readonly disturbances: readonly Disturbance[];
  /** What people do, one time after the other, when it is halted or waits for them. The last one is for ever. */
  readonly answers: readonly ("resume" | "abort")[];
}

const turningPoints: readonly DeployEventType[] = [
  "received",
  "fetched",
  "activating",
  "activated",
  "checked",
  "confirmed",
  "persisting",
  "finished",
];
const lengthsMs = [500, 500, 3000, 3000, 8000, 8000, 20_000, 20_000];
/** Longer than a host waits for its confirmation, and so long that a silent host is absent. */
const longMs = [75_000, 75_000, 75_000, 200_000];
const kinds: readonly DisturbanceType[] = [
  "link",
  "power",
  "kill",
  "nats",
  "deployer",
  "hand",
  "hold",
  "pause",
  "gate",
  "abort",
];

export function planRound(choices: Choices, gateUrl: string, most = 6): RoundPlan {
  const { chance, count, pick } = choices;
  const hasGate = chance(0.4);
  const reboots = chance(0.25);
  const rules = {
    automatic: !reboots && chance(0.6),
    soakSeconds: count(1, 6),
    maxUnavailable: count(1, 4),
    maxFailures: chance(0.25) ? 1 : 0,
    onFailure: chance(0.3) ? "rollback" : "halt",
    waves: chance(0.3)
      ? [
          { name: "canary", wave: 0 },
          { name: "prod", tiers: ["prod"], manual: true },
        ]
      : [],
    gates: hasGate ? [{ kind: "prometheus", name: "errors", url: gateUrl, query: "up" }] : [],
  };
  const mannerOf = (): Manner => {
    if (chance(0.06)) return "looping";
    if (reboots && chance(0.6)) return "kernel";
    return chance(0.5) ? "slow" : "good";
  };
  const manners = Object.fromEntries(memberNames.map((name) => [name, mannerOf()])) as Record<Member, Manner>;
  // Whatever comes after an abort meets nothing: it is rare.
  const possible = kinds.filter((kind) => kind !== "abort" && (hasGate || kind !== "gate"));
  const kindOf = (): DisturbanceType => (chance(0.04) ? "abort" : pick(possible));
  const disturbances = Array.from({ length: count(1, most) }, () => someDisturbance(choices, kindOf()));
  const answers = Array.from({ length: 3 }, () => (chance(0.9) ? "resume" : "abort"));
  return { rules, reboots, manners, disturbances, answers: [...answers, "abort"] };
}

function someDisturbance({ chance, count, pick }: Choices, type: DisturbanceType): Disturbance {
  const host = pick(memberNames);
  const when = chance(0.6)
    ? { host: chance(0.7) ? host : pick(memberNames), event: pick(turningPoints) }
    : { afterMs: count(0, 40_000) };
  const isOfHost = type === "link" || type === "power";
  const forMs = pick(isOfHost && chance(0.3) ? longMs : lengthsMs);
  switch (type) {
    case "link":
    case "power":
    case "hold":
      return { type, when, host, forMs };
    case "kill":
      return { type, when, host, unit: pick(["listener", "activation", "switch"]) };
    case "nats":
    case "deployer":
    case "pause":
      return { type, when, forMs };
    case "gate":
      return { type, when, mode: pick(gateModes.filter((mode) => mode !== "good")), forMs };
    case "hand":
      return { type, when, host, kind: pick(handKinds) };
    case "abort":
      return { type, when };
  }
}

export function describeDisturbance(disturbance: Disturbance): string {
  const { when, type, ...more } = disturbance;
  const at = "afterMs" in when ? `at ${when.afterMs} ms` : `when ${when.host} is ${when.event}`;
  const what = Object.entries(more).map(([name, value]) => `${name} ${value}`);
  return [type, ...what, at].join(", ");
}
