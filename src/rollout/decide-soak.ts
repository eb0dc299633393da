// Whether a wave stays well: its gates hold, its hosts are heard, and none of them has more failed units than before.
import type { HaltCode } from "../protocol/rollout/rollout-events.ts";
import type { RolloutHost } from "../protocol/rollout/rollout.ts";
import type { HostName } from "../protocol/names.ts";
import { append, presenceOf, type RolloutStep, type RolloutView } from "./rollout-view.ts";

/** An answer of a gate counts for so long; in a soak every gate is asked so often. */
export const gateAgeMs = 30_000;
/** How often a soaking wave is looked at. */
const lookMs = 10_000;

/** Undefined where all gates hold, by answers of this moment. */
export function decideGates({ rollout, gates, now }: RolloutView): RolloutStep | undefined {
  const answers = rollout.policy.gates.map(({ name }) => ({ name, ...gates.get(name) }));
  const isOld = (at: Date | undefined): boolean =>
    at === undefined || now.getTime() - at.getTime() > gateAgeMs;
  if (answers.some(({ at }) => isOld(at))) return { type: "ask-gates" };
  for (const { name, answer } of answers) {
    if (answer === undefined || answer.ok) continue;
    return halt({ code: answer.code, detail: `the gate ${name}: ${answer.detail}` });
  }
  return undefined;
}

/** @param changed the hosts of the wave that this rollout has changed; not empty */
export function decideSoak(view: RolloutView, index: number, changed: readonly RolloutHost[]): RolloutStep {
  const { rollout, now } = view;
  const { policy, waves } = rollout;
  const soak = waves[index]?.soak;
  if (soak === undefined) {
    const until = new Date(now.getTime() + policy.soakSeconds * 1000).toISOString();
    return append({ type: "soaking", wave: index, until });
  }
  const bad = findWorse(view, changed);
  if (bad !== undefined) return bad;
  const gates = decideGates(view);
  if (gates !== undefined) return gates;
  const end = Date.parse(soak.until);
  if (now.getTime() < end) {
    return { type: "wait", until: new Date(Math.min(end, now.getTime() + lookMs)) };
  }
  // It is not enough that nothing bad was reported: each host must have reported since.
  const isHeard = changed.every(({ host, result }) => {
    const at = view.hosts.get(host)?.state?.at;
    const endedAt = result?.endedAt ?? result?.at;
    // Both by the host's own clock.
    const isLater = at !== undefined && endedAt !== undefined && Date.parse(at) >= Date.parse(endedAt);
    return isWaived(view, host) || isLater;
  });
  return isHeard
    ? append({ type: "soaked", wave: index })
    : { type: "wait", until: new Date(now.getTime() + lookMs) };
}

/** Undefined if all of them report, and none has more failed units than before. */
export function findWorse(view: RolloutView, changed: readonly RolloutHost[]): RolloutStep | undefined {
  for (const { host, failedUnits, path } of changed) {
    if (isWaived(view, host)) continue;
    const presence = presenceOf(host, view);
    if (presence === "absent")
      return halt({
        code: "HOST_SILENT",
        detail: `${host} has not reported since it was deployed`,
        host,
      });
    const state = view.hosts.get(host)?.state;
    // What somebody else makes it run is not ours to judge.
    if (state === undefined || state.running.path !== path) continue;
    const worse = state.failedUnits.filter((unit) => !failedUnits.includes(unit));
    if (worse.length > 0) {
      return halt({
        code: "GOT_WORSE",
        detail: `${host} has failed units that it had not before: ${worse.join(", ")}`,
        host,
      });
    }
  }
  return undefined;
}

const isWaived = ({ rollout }: RolloutView, host: HostName): boolean =>
  rollout.waived.some((waived) => waived.host === host);

interface Halt {
  readonly code: HaltCode;
  readonly detail: string;
  readonly host?: HostName;
}

const halt = ({ detail, ...why }: Halt): RolloutStep =>
  append({ type: "halted", ...why, detail: detail.slice(0, 2000) });
