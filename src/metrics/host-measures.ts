// The metrics of a host that is deployed to, as data: determined elsewhere, and rendered here.
import type { DeployCode, DeployOutcome } from "../protocol/deploy/deploy-codes.ts";
import { deployCodeNames } from "../protocol/deploy/deploy-codes.ts";
import type { RebootPart } from "../protocol/deploy/deploy-events.ts";
import type { DriftKind } from "../protocol/deploy/host-state.ts";

/** An `activate` order by what it asks for; the others by their kind. */
export const deployActions = ["switch", "boot", "rollback", "reboot", "withdraw", "fetch"] as const;

/** In their order. */
export const deploymentPhases = [
  "fetching",
  "preflight",
  "activating",
  "checking",
  "confirming",
  "persisting",
  "staged",
  "rebooting",
  "rolling-back",
] as const;
export type DeploymentPhase = (typeof deploymentPhases)[number];

/** `option`: the host's configuration holds it. `rollback-failed`: nobody has looked at it since. */
export const holdCauses = ["option", "rollback-failed"] as const;
export type HoldCause = (typeof holdCauses)[number];

export interface EndedDeployments {
  readonly action: string;
  readonly outcome: string;
  readonly code?: string | undefined;
  readonly count: number;
}

/** What the journal says. */
export interface JournalMeasures {
  readonly ended: readonly EndedDeployments[];
  /** Orders that were refused before they were taken. */
  readonly rejected: readonly { readonly code: string; readonly count: number }[];
  readonly isInProgress: boolean;
  /** The seconds in each phase of the newest deployment; without those that it did not come to. */
  readonly phaseSeconds: ReadonlyMap<DeploymentPhase, number>;
  /** How many seconds the newest confirmed deployment took to confirm. */
  readonly confirmSeconds: number | undefined;
  /** Since the newest order that was taken was signed. */
  readonly lastOrderAgeSeconds: number | undefined;
}

/** What the machine says. */
export interface StateMeasures {
  readonly path: string | undefined;
  readonly commit: string | undefined;
  readonly rebootNeeded: readonly RebootPart[];
  readonly drift: readonly DriftKind[];
  readonly isClockOk: boolean;
  readonly holds: readonly HoldCause[];
}

export interface HostMeasures {
  /** Undefined when there is no journal that can be read. */
  readonly journal: JournalMeasures | undefined;
  /** Undefined when the machine did not answer. */
  readonly state: StateMeasures | undefined;
  readonly isNatsConnected: boolean;
}

/** What a deployment that was taken may end with. A pair that is missing here has its series from its first time on. */
const codesOf: Readonly<Record<DeployOutcome, readonly (DeployCode | "")[]>> = {
  completed: [""],
  unchanged: [""],
  fetched: [""],
  rejected: [
    "ACTIVATION_FAILED",
    "CHANGED_MEANWHILE",
    "DOWNGRADE",
    "HELD",
    "NO_BOOT_SPACE",
    "REMOVES_LISTENER",
    "WRONG_HOST",
    "WRONG_SYSTEM",
  ],
  expired: ["EXPIRED"],
  superseded: ["SUPERSEDED"],
  failed: [
    "ACTIVATION_FAILED",
    "BAD_STATEMENT",
    "BUSY",
    "CHANGED_MEANWHILE",
    "INTERRUPTED",
    "NO_SPACE",
    "NOT_CACHED",
    "UNSIGNED",
  ],
  "rolled-back": [
    "ACTIVATION_FAILED",
    "BOOT_NOT_INSTALLED",
    "INTERRUPTED",
    "REVERTED_BY_BOOT",
    "UNCONFIRMED",
    "UNHEALTHY",
  ],
  "rollback-failed": ["ROLLBACK_FAILED"],
};

/** All possible results, with 0, so that the first occurrence shows as an increase. */
export const noEndedDeployments: readonly EndedDeployments[] = deployActions.flatMap((action) =>
  Object.entries(codesOf).flatMap(([outcome, codes]) =>
    codes.flatMap((code) => (canEndWith(action, outcome) ? [{ action, outcome, code, count: 0 }] : [])),
  ),
);

function canEndWith(action: (typeof deployActions)[number], outcome: string): boolean {
  if (action === "withdraw") return outcome === "completed";
  if (action !== "fetch") return outcome !== "fetched";
  return ["fetched", "unchanged", "rejected", "expired", "superseded", "failed"].includes(outcome);
}

export const noRejected = deployCodeNames.map((code) => ({ code, count: 0 }));
