import type { Clock } from "../../base/clock.ts";
import type { HostWork } from "../work.ts";
import type { RunningEvaluator } from "./plan-evaluations.ts";

/** How far an evaluator is in its plan. It takes a host when it comes to it; until then the host is anybody's. */
export interface EvaluatorProgress extends RunningEvaluator {
  readonly plan: readonly HostWork[];
  /** What it evaluates now. */
  current(): HostWork | undefined;
  /** What it comes to next, as far as that is to be had. */
  next(): HostWork | undefined;
  /** It comes to this host. False when the host is not to be had any more, and with it all that follows. */
  begin(work: HostWork): boolean;
  /**
   * It is through with what it evaluated. Milliseconds that this took.
   *
   * @param heldBytes what the process holds now, if that is known
   */
  end(heldBytes?: number): number;
}

/** An evaluator that starts now; it has the first host of the plan from the beginning. */
export function createEvaluatorProgress(
  first: HostWork,
  plan: readonly HostWork[],
  clock: Clock,
): EvaluatorProgress {
  const startedAt = clock.monotonic();
  let at = 0;
  let current: HostWork | undefined = first;
  let beganAt = startedAt;
  const durations: number[] = [];
  let heldBytes = 0;
  let growthBytes = 0;

  function next(): HostWork | undefined {
    const work = plan[at + 1];
    return work?.stage === "evaluation" ? work : undefined;
  }

  return {
    repo: first.repo,
    commit: first.commit,
    variant: first.variant,
    plan,
    startedAt,
    get ahead() {
      const left = plan.slice(at + 1);
      const end = left.findIndex(({ stage }) => stage !== "evaluation");
      return end < 0 ? left : left.slice(0, end);
    },
    get firstMs() {
      return durations[0];
    },
    get furtherMs() {
      const further = durations.slice(1);
      return further.length === 0 ? undefined : further.reduce((sum, each) => sum + each) / further.length;
    },
    current: () => current,
    next,
    get heldBytes() {
      return heldBytes;
    },
    get growthBytes() {
      return growthBytes;
    },
    begin(work) {
      if (work === current) {
        // What came before is the start of Nix, and perhaps the fetching of inputs.
        beganAt = clock.monotonic();
        return true;
      }
      if (work !== next()) return false;
      at++;
      current = work;
      beganAt = clock.monotonic();
      return true;
    },
    end(heldNow) {
      const duration = clock.monotonic() - beganAt;
      durations.push(duration);
      if (heldNow !== undefined) {
        if (heldBytes > 0) growthBytes = Math.max(growthBytes, heldNow - heldBytes);
        heldBytes = heldNow;
      }
      current = undefined;
      return duration;
    },
  };
}
