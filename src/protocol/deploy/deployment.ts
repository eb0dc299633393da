// What is known about a host's deployments after some of its events: a pure fold, the same for the command line, metrics and
// everybody else who reads along. The log is long and its first events may be gone, so it can begin anywhere.
import type { StorePath } from "../names.ts";
import type { DeployCode, DeployOutcome } from "./deploy-codes.ts";
import type { CheckResult, DeployEvent, DeployEventOf, RebootPart, UnitFindings } from "./deploy-events.ts";
import type { OrderId } from "./order.ts";

export type DeployPhase =
  | "verifying"
  | "fetching"
  | "preflight"
  | "activating"
  | "checking"
  | "confirming"
  | "persisting"
  | "staged"
  | "rebooting"
  | "rolling-back"
  | "finished";

export interface PhaseSpan {
  readonly phase: DeployPhase;
  readonly since: string;
  /** Absent while it lasts. */
  readonly ms?: number;
}

type Received = DeployEventOf<"received">;

export interface DeploymentEnd {
  readonly outcome: DeployOutcome;
  readonly code?: DeployCode;
  readonly detail?: string;
  /** The exit code of the program that failed. */
  readonly exit?: number;
  readonly at: string;
  /** The host's own serial, of `REPLAYED`. */
  readonly serial?: number;
}

/** What one host did with one order. */
export interface Deployment {
  /** Absent where bytes were refused that name none. */
  readonly order?: OrderId;
  /** Absent where the log begins after it, or where it was refused unread. */
  readonly received?: Pick<
    Received,
    "kind" | "action" | "path" | "serial" | "by" | "commit" | "reason" | "rollout"
  >;
  readonly phase: DeployPhase;
  /** Since when it is in this phase. */
  readonly since: string;
  readonly startedAt: string;
  readonly phases: readonly PhaseSpan[];
  readonly fetch?: { readonly bytes: number; readonly paths: number };
  readonly reboot?: readonly RebootPart[];
  /** What ran before. */
  readonly from?: StorePath;
  readonly checks?: readonly CheckResult[];
  readonly units?: UnitFindings;
  readonly staged?: string;
  /** Why it went back, or tried to. */
  readonly rollBack?: { readonly why: string; readonly code: DeployCode };
  readonly warnings: readonly string[];
  /** It has exactly one, and the first one stays. */
  readonly end?: DeploymentEnd;
}

export interface HostLog {
  /** The time of the last event. */
  readonly lastAt?: string;
  /** The index that comes after the last event. */
  readonly nextIndex: number;
  /** In the order in which the host began with them. */
  readonly deployments: readonly Deployment[];
}

export const emptyHostLog: HostLog = { nextIndex: 0, deployments: [] };

/** How many deployments are kept: a log has at most a few hundred events. */
const mostDeployments = 200;

/**
 * An event that was seen already changes nothing. What is missing between two events is lost, not an error. A host that was
 * reinstalled counts from 0 again, at a later time.
 */
export function applyDeployEvent(log: HostLog, event: DeployEvent): HostLog {
  const isSeen = event.index < log.nextIndex;
  if (isSeen && Date.parse(event.at) <= Date.parse(log.lastAt ?? "")) return log;
  const nextIndex = event.index + 1;
  const place =
    event.order === undefined
      ? -1
      : log.deployments.findLastIndex((deployment) => deployment.order === event.order);
  const known = log.deployments[place];
  const next = changed(known ?? begun(event), event);
  const deployments =
    known === undefined
      ? [...log.deployments, next].slice(-mostDeployments)
      : log.deployments.with(place, next);
  return { nextIndex, lastAt: event.at, deployments };
}

export const foldDeployEvents = (events: readonly DeployEvent[]): HostLog =>
  events.reduce(applyDeployEvent, emptyHostLog);

export const deploymentOf = (log: HostLog, order: OrderId): Deployment | undefined =>
  log.deployments.findLast((deployment) => deployment.order === order);

const begun = ({ order, at }: DeployEvent): Deployment => ({
  order,
  phase: "verifying",
  since: at,
  startedAt: at,
  phases: [{ phase: "verifying", since: at }],
  warnings: [],
});

function changed(deployment: Deployment, event: DeployEvent): Deployment {
  if (deployment.end !== undefined) return deployment;
  const entered = (phase: DeployPhase, change: Partial<Deployment> = {}): Deployment => ({
    ...inPhase(deployment, phase, event.at),
    ...change,
  });
  switch (event.type) {
    case "received": {
      const { kind, action, path, serial, by, commit, reason, rollout } = event;
      return { ...deployment, received: { kind, action, path, serial, by, commit, reason, rollout } };
    }
    case "rejected":
      return rejected(deployment, event);
    case "fetching":
      return entered("fetching", { fetch: { bytes: event.bytes, paths: event.paths } });
    case "fetched":
      return entered("preflight", { fetch: { bytes: event.bytes, paths: event.paths } });
    case "ready":
      return entered("preflight", { reboot: event.reboot });
    case "activating":
      return entered("activating", { from: event.from });
    case "checking":
    case "booted":
      return entered("checking");
    case "checked":
      return entered("confirming", { checks: event.checks, units: event.units });
    case "persisting":
      return entered("persisting");
    case "staged":
      return entered("staged", { staged: event.why });
    case "rebooting":
      return entered("rebooting");
    case "rolling-back":
      return entered("rolling-back", { rollBack: { why: event.why, code: event.code } });
    case "warning":
      return { ...deployment, warnings: [...deployment.warnings, event.text] };
    case "activated":
    case "confirmed":
      return deployment;
    case "finished": {
      const { outcome, detail, exit, at } = event;
      const { rollBack } = deployment;
      const goesBack = outcome === "rolled-back" || outcome === "rollback-failed";
      const code = event.code ?? (goesBack ? rollBack?.code : undefined);
      return ended(deployment, {
        outcome,
        code,
        detail: detail ?? (goesBack ? rollBack?.why : undefined),
        exit,
        at,
      });
    }
  }
}

/** Phases in which nothing was changed. */
const untouched: readonly DeployPhase[] = ["verifying", "fetching", "preflight"];

/** Once the host began to activate it, a refusal is that of a second copy, and not the end. */
function rejected(
  deployment: Deployment,
  { code, detail, serial, at }: DeployEventOf<"rejected">,
): Deployment {
  if (!untouched.includes(deployment.phase)) {
    return { ...deployment, warnings: [...deployment.warnings, `${code}: ${detail}`] };
  }
  return ended(deployment, { outcome: outcomeOfRefusal(code), code, detail, serial, at });
}

function outcomeOfRefusal(code: DeployCode): DeployOutcome {
  if (code === "EXPIRED") return "expired";
  return code === "SUPERSEDED" ? "superseded" : "rejected";
}

const ended = (deployment: Deployment, end: DeploymentEnd): Deployment => ({
  ...inPhase(deployment, "finished", end.at),
  end,
});

function inPhase(deployment: Deployment, phase: DeployPhase, at: string): Deployment {
  if (deployment.phase === phase) return deployment;
  const last = deployment.phases.at(-1);
  const closed =
    last === undefined ? [] : [{ ...last, ms: Math.max(0, Date.parse(at) - Date.parse(last.since)) }];
  return {
    ...deployment,
    phase,
    since: at,
    phases: [...deployment.phases.slice(0, -1), ...closed, { phase, since: at }],
  };
}
