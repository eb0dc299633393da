import type { Clock } from "../../base/clock.ts";
import type { HostWork } from "../work.ts";
import type { RunningEvaluator } from "./plan-evaluations.ts";

/** What hosts took of a process. */
export type Taken = Pick<RunningEvaluator, "firstMs" | "furtherMs" | "growthBytes">;

/** How far an evaluator is in its plan. It takes a host when it comes to it; until then the host is anybody's. */
export interface EvaluatorProgress extends RunningEvaluator {
  readonly plan: readonly HostWork[];
  /** What it evaluates now. */
  current(): HostWork | undefined;
  /** What it comes to next, as far as it is known. */
  next(): HostWork | undefined;
  /** It comes to this host. False when the host is no longer available, and with it all that follows. */
  begin(work: HostWork): boolean;
  /**
   * It is through with what it evaluated. Milliseconds that this took.
   *
   * @param heldBytes what the process holds now, if that is known
   */
  end(heldBytes?: number): number;
}

/**
 * An evaluator that starts now; it has the first host of the plan from the beginning.
 *
 * @param usual times of hosts of the same revision in other processes: used where this one has none yet
 */
export function createEvaluatorProgress(
  first: HostWork,
  plan: readonly HostWork[],
  clock: Clock,
  usual: () => Taken | undefined = () => undefined,
): EvaluatorProgress {
  const startedAt = clock.monotonic();
  let at = 0;
  let current: HostWork | undefined = first;
  let beganAt = startedAt;
  let firstMs: number | undefined;
  /** All hosts after the first. */
  const further = { hosts: 0, ms: 0 };
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
      return firstMs ?? usual()?.firstMs;
    },
    get furtherMs() {
      return further.hosts === 0 ? usual()?.furtherMs : further.ms / further.hosts;
    },
    get beganAt() {
      return current === undefined ? undefined : beganAt;
    },
    current: () => current,
    next,
    get heldBytes() {
      return heldBytes;
    },
    get growthBytes() {
      return growthBytes > 0 ? growthBytes : (usual()?.growthBytes ?? 0);
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
      if (firstMs === undefined) {
        firstMs = duration;
      } else {
        further.hosts++;
        further.ms += duration;
      }
      if (heldNow !== undefined) {
        if (heldBytes > 0) growthBytes = Math.max(growthBytes, heldNow - heldBytes);
        heldBytes = heldNow;
      }
      current = undefined;
      return duration;
    },
  };
}
