import { type HostWork, priorityOf } from "../work.ts";

export interface PickOptions {
  /** Hosts for one evaluator process at most. */
  readonly batchSize: number;
  /** Evaluator processes that run at a time. */
  readonly slots: number;
  /** When each repo was last given a slot, as a growing number; absent for never. */
  readonly lastServed: ReadonlyMap<string, number>;
}

/**
 * The hosts for the evaluator slot that is free now. Interactive work comes before batch work; among equals the
 * repo that was served least recently comes first, then who asked first. One process gets hosts of one revision
 * only, and no more than its share, so that all slots end at about the same time.
 */
export function pickEvaluations(waiting: readonly HostWork[], options: PickOptions): readonly HostWork[] {
  const first = waiting.reduce<HostWork | undefined>(
    (best, work) => (best === undefined || comesBefore(work, best, options) ? work : best),
    undefined,
  );
  if (first === undefined) return [];
  if (first.alone) return [first];
  const urgency = priorityOf(first);
  const group = waiting.filter(
    (work) =>
      !work.alone &&
      work.repo === first.repo &&
      work.commit === first.commit &&
      work.variant === first.variant &&
      priorityOf(work) === urgency,
  );
  const share = Math.ceil(group.length / Math.max(1, options.slots));
  return group
    .toSorted((a, b) => a.order - b.order)
    .slice(0, Math.max(1, Math.min(options.batchSize, share)));
}

function comesBefore(a: HostWork, b: HostWork, { lastServed }: PickOptions): boolean {
  const [urgencyA, urgencyB] = [priorityOf(a), priorityOf(b)];
  if (urgencyA !== urgencyB) return urgencyA === "interactive";
  const [servedA, servedB] = [lastServed.get(a.repo) ?? 0, lastServed.get(b.repo) ?? 0];
  return servedA === servedB ? a.order < b.order : servedA < servedB;
}
