// How often a host did what, since its first journal. The journal's head carries the counts on when old lines go: a count that
// fell would look to Prometheus like a host that started over, and everything that is left like something new.
import * as v from "valibot";
import type { DeployEventOf } from "../protocol/deploy/deploy-events.ts";
import type { Order } from "../protocol/deploy/order.ts";

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
/** Not only the names of this release: a journal is also read by an older one. */
const name = v.pipe(v.string(), v.maxLength(64));

export const DeploymentCounts = v.object({
  /** Orders that were taken, by how they ended. */
  finished: v.pipe(
    v.array(v.object({ action: name, outcome: name, code: v.optional(name), count })),
    v.maxLength(1000),
  ),
  /** Orders that were refused before they were taken. */
  rejected: v.pipe(v.array(v.object({ code: name, count })), v.maxLength(200)),
});
export type DeploymentCounts = v.InferOutput<typeof DeploymentCounts>;

export const noDeployments: DeploymentCounts = { finished: [], rejected: [] };

export function countFinished(
  counts: DeploymentCounts,
  { kind, action: way }: Order,
  { outcome, code }: DeployEventOf<"finished">,
): DeploymentCounts {
  const action = kind === "activate" ? way : kind;
  const isSame = (each: FinishedCount): boolean =>
    each.action === action && each.outcome === outcome && each.code === code;
  return { ...counts, finished: increased(counts.finished, isSame, { action, outcome, code, count: 0 }) };
}

export const countRejected = (
  counts: DeploymentCounts,
  { code }: DeployEventOf<"rejected">,
): DeploymentCounts => ({
  ...counts,
  rejected: increased(counts.rejected, (each) => each.code === code, { code, count: 0 }),
});

type FinishedCount = DeploymentCounts["finished"][number];

function increased<Entry extends { readonly count: number }>(
  entries: readonly Entry[],
  isSame: (entry: Entry) => boolean,
  none: Entry,
): Entry[] {
  const entry = entries.find(isSame) ?? none;
  return [...entries.filter((each) => !isSame(each)), { ...entry, count: entry.count + 1 }];
}
