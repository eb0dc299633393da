// Trying a health check of a host once.
import type { HealthCheck } from "../protocol/deploy/host-policy.ts";

export interface ProbeAnswer {
  readonly ok: boolean;
  /** What was wrong, in a few words. */
  readonly detail?: string;
}

/** Never throws but when aborted. */
export type Probe = (check: HealthCheck, signal: AbortSignal) => Promise<ProbeAnswer>;
