// People who look after the rollouts of a round: what waits for them goes on, or is given up, until all of it is over.
import { setTimeout as sleep } from "node:timers/promises";
import * as v from "valibot";
import { isAbsent } from "../../../src/protocol/deploy/host-state.ts";
import type { RolloutId } from "../../../src/protocol/rollout/rollout-events.ts";
import { foldRollout, type Rollout } from "../../../src/protocol/rollout/rollout.ts";
import { knownOf } from "../../../src/rollout/known-rollouts.ts";
import type { FleetLab } from "../../support/lab/chain/fleet-lab.ts";
import type { FaultKind } from "../judge-build.ts";
import type { RolloutFacts } from "./judge-round.ts";
import type { Person } from "./person.ts";
import type { RoundPlan } from "./plan-round.ts";

/** Hosts that are silent for three minutes are absent, and an order that nobody began is waited for after that. */
const patienceMs = 480_000;
/** The deployer looks every 15 s whether a host is back. */
const backMs = 60_000;
const Shown = v.looseObject({
  status: v.string(),
  exitCode: v.optional(v.number()),
  waitsFor: v.optional(v.looseObject({ type: v.string() })),
  hosts: v.array(v.looseObject({ host: v.string(), status: v.string() })),
});

export interface AttendedParts {
  readonly lab: FleetLab;
  readonly person: Person;
  readonly plan: RoundPlan;
  /** Of the rounds before. */
  readonly old: ReadonlySet<RolloutId>;
  readonly say: (line: string) => void;
  /** Ends it where the round breaks. */
  readonly signal: AbortSignal;
}

export interface Attended {
  readonly rollouts: readonly Rollout[];
  readonly problems: readonly { readonly kind: FaultKind; readonly what: string }[];
}

/** @returns `allEnded`, which is aborted once no rollout is open any more, and what to call when nothing is disturbed any more */
export function attendTo(parts: AttendedParts): {
  readonly allEnded: AbortSignal;
  readonly calm: () => Promise<Attended>;
} {
  const { lab, person, plan, old, say, signal } = parts;
  const ended = new AbortController();
  const asked = new Map<string, number>();
  let calmSince: number | undefined;

  async function answer({ id, paused, halted }: Rollout): Promise<void> {
    const times = asked.get(id) ?? 0;
    asked.set(id, times + 1);
    const wish = plan.answers[Math.min(times, plan.answers.length - 1)] ?? "abort";
    say(`${wish}: ${halted?.detail ?? paused?.reason ?? ""}`);
    await person.command("rollouts", wish, id);
  }

  async function attend(): Promise<Attended> {
    let quietSince: number | undefined;
    for (;;) {
      // NATS may be away for longer than one read waits.
      const rollouts = await readNew(lab, old).catch(() => undefined);
      await sleep(1000, undefined, { signal });
      if (rollouts === undefined) continue;
      const open = rollouts.filter(({ end }) => end === undefined);
      const waiting = open.filter(
        ({ paused, halted, aborted }) =>
          aborted === undefined &&
          // Somebody who has paused it resumes it, too.
          (halted !== undefined ||
            paused?.wave !== undefined ||
            (paused !== undefined && calmSince !== undefined)),
      );
      for (const rollout of waiting) await answer(rollout);
      const isOver = rollouts.length > 0 && open.length === 0;
      if (isOver) ended.abort();
      quietSince = isOver ? (quietSince ?? performance.now()) : undefined;
      if (calmSince === undefined) continue;
      if (quietSince !== undefined) {
        const isBack = await isAnybodyBack(lab, rollouts);
        if (!isBack) return { rollouts, problems: [] };
        const since = Math.max(quietSince, calmSince);
        const what = "a host is back, and is not ordered";
        if (performance.now() > since + backMs) return { rollouts, problems: [{ kind: "lost", what }] };
      }
      if (performance.now() > calmSince + patienceMs) return giveUp(parts, rollouts);
    }
  }

  const attending = attend();
  // It is waited for later.
  attending.catch(() => undefined);
  return {
    allEnded: ended.signal,
    calm: async () => {
      calmSince = performance.now();
      return attending;
    },
  };
}

async function giveUp({ lab, person }: AttendedParts, rollouts: readonly Rollout[]): Promise<Attended> {
  if (rollouts.length === 0) return { rollouts, problems: [{ kind: "lost", what: "no rollout has begun" }] };
  const problems: { kind: FaultKind; what: string }[] = [];
  for (const { id, end } of rollouts) {
    if (end !== undefined) continue;
    const { shown } = await readShown(lab, id);
    const rest = shown.hosts.map(({ host, status }) => `${host} ${status}`).join(", ");
    const what = `${id} is ${shown.status}, and waits for ${JSON.stringify(shown.waitsFor)}: ${rest}`;
    problems.push({ kind: "endless", what });
    await person.command("rollouts", "abort", id);
  }
  return { rollouts, problems };
}

async function readNew(lab: FleetLab, old: ReadonlySet<RolloutId>): Promise<readonly Rollout[]> {
  const signal = AbortSignal.timeout(60_000);
  const ids = (await lab.rollouts.rolloutIds(signal)).filter((id) => !old.has(id));
  const logs = await Promise.all(ids.map(async (id) => lab.rollouts.readRollout(id, signal)));
  return logs.flatMap(({ events }) => foldRollout(events) ?? []);
}

/** As the deployer judges it: hosts that were away from a good rollout, and that are there, are ordered. */
async function isAnybodyBack(lab: FleetLab, rollouts: readonly Rollout[]): Promise<boolean> {
  const [newest] = rollouts;
  if (newest?.end === undefined || !newest.end.outcome.startsWith("completed")) return false;
  const { absent, isProven } = knownOf(newest);
  if (!isProven) return false;
  const states = await lab.bus.hostStates(AbortSignal.timeout(60_000));
  return absent.some(({ host, path, from }) => {
    const state = states.find((each) => each.host === host);
    if (state === undefined || isAbsent(state, new Date())) return false;
    return state.running.path !== path && (from === undefined || state.running.path === from);
  });
}

export async function readShown(
  lab: FleetLab,
  id: RolloutId,
): Promise<RolloutFacts & { readonly shown: v.InferOutput<typeof Shown> }> {
  const { stdout, exitCode } = await lab.run("rollouts", "show", id, "--json");
  const { events } = await lab.rollouts.readRollout(id, AbortSignal.timeout(60_000));
  return { events, exitCode, shown: v.parse(Shown, JSON.parse(stdout)) };
}
