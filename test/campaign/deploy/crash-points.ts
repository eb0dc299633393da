// Where a deployment is broken off, by what, and what it may come to then. Pure.
import type { DeployEventType } from "../../../src/protocol/deploy/deploy-events.ts";
import type { DeployOutcome } from "../../../src/protocol/deploy/deploy-codes.ts";

/** `kill -9` of the listener, of the activation, of both at once; and a power cut. */
export const crashKinds = ["listener", "activation", "both", "power"] as const;
export type CrashKind = (typeof crashKinds)[number];

/**
 * - `switch`: a good system
 * - `undo`: one whose boot loader writes nothing, so that it goes back when the profile has moved already
 * - `boot`: a good system that is only booted, by the reboot that its order asks for
 */
export type CrashRoute = "switch" | "undo" | "boot";

export interface CrashPoint {
  readonly name: string;
  readonly route: CrashRoute;
  readonly at: { readonly line: DeployEventType } | { readonly place: HeldPlace };
  readonly outcomes: Readonly<Record<CrashKind, DeployOutcome>>;
}

/** Where a fake system waits while a test wants it to. */
export type HeldPlace =
  /** In `test` of the new system: `/etc` is new, and what runs is still the old system. */
  | "switching"
  /** In `boot` of the new system: the profile has moved, and the boot loader not. */
  | "boot-of-new"
  /** In `boot` of the old system, which runs again. */
  | "boot-of-old";

interface Outcomes {
  /** When whoever activates is killed, alone or together with the listener. */
  readonly killed: DeployOutcome;
  readonly cut: DeployOutcome;
}

const done: Outcomes = { killed: "completed", cut: "completed" };
const undone: Outcomes = { killed: "rolled-back", cut: "rolled-back" };
/** Proven again in the same boot; another boot has the old system. */
const provenAgain: Outcomes = { killed: "completed", cut: "rolled-back" };

const point = (
  route: CrashRoute,
  name: string,
  at: CrashPoint["at"],
  { killed, cut }: Outcomes,
): CrashPoint => ({
  name: `${route}: ${name}`,
  route,
  at,
  // The listener alone is never missed for long.
  outcomes: {
    listener: route === "undo" ? "rolled-back" : "completed",
    activation: killed,
    both: killed,
    power: cut,
  },
});
const behind = (route: CrashRoute, lines: readonly DeployEventType[], outcomes: Outcomes) =>
  lines.map((line) => point(route, `behind "${line}"`, { line }, outcomes));

export const crashPoints: readonly CrashPoint[] = [
  // Nothing was changed: it is done again.
  ...behind("switch", ["received", "fetching", "fetched", "ready"], done),
  // Whoever dies in a switch may have died of it.
  ...behind("switch", ["activating"], undone),
  point("switch", "in the middle of `test`", { place: "switching" }, undone),
  ...behind("switch", ["activated", "checking", "checked", "confirmed", "persisting"], provenAgain),
  point("switch", "between `--set` and `boot`", { place: "boot-of-new" }, provenAgain),
  ...behind("switch", ["finished"], done),
  ...behind("undo", ["rolling-back"], undone),
  point("undo", "between `test` and `boot` of the old system", { place: "boot-of-old" }, undone),
  ...behind("undo", ["finished"], undone),
  ...behind("boot", ["staged", "rebooting"], done),
  ...behind("boot", ["booted", "checking", "checked", "confirmed"], provenAgain),
  ...behind("boot", ["finished"], done),
];
