// What the deployer asks before a wave and while it soaks.
import type { Gate } from "../protocol/rollout/rollout-policy.ts";

export type GateAnswer =
  | { readonly ok: true }
  | {
      readonly ok: false;
      /** No answer, or one without data, is not a pass. */
      readonly code: "GATE_FAILED" | "GATE_NO_DATA";
      readonly detail: string;
    };

export interface Gates {
  /** Never rejects but with the signal's reason: who cannot be asked gives no data. */
  ask(gate: Gate, signal: AbortSignal): Promise<GateAnswer>;
}
