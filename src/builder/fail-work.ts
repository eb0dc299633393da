// Work that an exception ended.
import { isBug } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { fullName } from "../protocol/names.ts";
import { decideThrown } from "./decide-verdicts.ts";
import type { HostWork } from "./work.ts";
import type { WorkBoard } from "./work-board.ts";

/** Hosts named in a line of log. */
const mostNamed = 20;

/** An infrastructure fault is retried; a bug ends the hosts, and its stack is logged. */
export function failWork(
  { board, log }: { readonly board: WorkBoard; readonly log: Log },
  works: readonly HostWork[],
  thrown: unknown,
): void {
  if (isBug(thrown)) {
    const hosts = works.slice(0, mostNamed).map(fullName);
    log.error({ err: thrown, hosts, count: works.length }, "a bug ended the work on hosts");
  }
  const decision = decideThrown(thrown);
  board.decide(new Map(works.map((work) => [work, decision])));
}
