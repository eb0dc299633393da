// How a rollout ended, once there is nothing left that it could order.
import {
  failedHosts,
  waitsForBoot,
  type Rollout,
  type RolloutHostStatus,
} from "../protocol/rollout/rollout.ts";
import type { RolloutEventBody } from "./rollout-view.ts";

/** Nothing of nothing is not a success: somebody has to run it. */
export function decideEnd(rollout: Rollout): RolloutEventBody {
  const count = (...of: readonly RolloutHostStatus[]): number =>
    [...rollout.hosts.values()].filter(({ status }) => of.includes(status)).length;
  const staged = [...rollout.hosts.values()].filter(waitsForBoot).length;
  const there = count("done", "unchanged") - staged;
  const failed = failedHosts(rollout).length;
  const refused = count("refused");
  const away = count("absent", "overtaken", "waiting") + staged;
  const held = count("held");
  const said = [
    [there, "run it"],
    [staged, "wait for a boot"],
    [failed, "failed"],
    [refused, "refused"],
    [count("absent"), "absent"],
    [count("overtaken"), "ordered by somebody else in the meantime"],
    [held, "held"],
  ] as const;
  const detail = said.flatMap(([number, what]) => (number === 0 ? [] : [`${number} ${what}`])).join(", ");
  if (failed > 0 || (there === 0 && refused > 0)) return { type: "finished", outcome: "failed", detail };
  if (away > 0 || there === 0) return { type: "finished", outcome: "completed-with-absent", detail };
  return { type: "finished", outcome: "completed", detail };
}
