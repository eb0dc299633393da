// What a build's event log must say after any crash: one beginning, no gap, one verdict for each host and one for the
// build, each the right one, and nothing unsaid that was said. Pure.
import type { BuildEvent } from "../../src/protocol/events.ts";
import { isTerminal } from "../../src/protocol/events.ts";
import { foldEvents } from "../../src/protocol/build-state.ts";
import { fullName, type BuildId } from "../../src/protocol/names.ts";
import { decideBuildVerdict, type BuildVerdict, type HostVerdict } from "../../src/protocol/verdicts.ts";

/** - lost: accepted by NATS, and never heard of again; - endless: begun, and never ended */
export const faultKinds = ["lost", "duplicated", "wrong", "endless"] as const;
export type FaultKind = (typeof faultKinds)[number];

export interface Fault {
  readonly kind: FaultKind;
  readonly build: string;
  readonly what: string;
}

export interface Expectation {
  readonly id: BuildId;
  /** Somebody cancelled it: hosts may be `cancelled`, in place of their verdict. */
  readonly wasCancelled: boolean;
  /** Its events when they were last looked at before the end. */
  readonly published: readonly BuildEvent[];
  /** `built` also stands for `unchanged`. */
  readonly verdictOf: (host: string) => HostVerdict;
}

export function judgeBuild(
  { id, wasCancelled, published, verdictOf }: Expectation,
  events: readonly BuildEvent[],
): readonly Fault[] {
  const fault = (kind: FaultKind, what: string): Fault => ({ kind, build: id, what });
  if (events.length === 0) return [fault("lost", "it has no events")];
  const faults: Fault[] = [];

  const ends = events.filter(isTerminal);
  if (ends.length === 0)
    return [fault("endless", `it stopped at: ${events.map(({ type }) => type).join(" ")}`)];
  if (ends.length > 1) faults.push(fault("duplicated", `${ends.length} verdicts of the build`));
  const begins = events.filter(({ type }) => type === "accepted");
  if (begins.length > 1) faults.push(fault("duplicated", `accepted ${begins.length} times`));
  if (events.some(({ index }, place) => index !== place))
    return [...faults, fault("wrong", "its events have a gap")];
  if (JSON.stringify(events.slice(0, published.length)) !== JSON.stringify(published))
    faults.push(fault("wrong", "what was published has changed"));

  const finished = events.flatMap((event) => (event.type === "hosts-finished" ? event.hosts : []));
  const names = finished.map(fullName);
  if (new Set(names).size !== names.length) faults.push(fault("duplicated", "a host has two verdicts"));
  const gaveUp = wasGivenUp(events);
  for (const { host, verdict, reason } of finished) {
    const is = verdict === "unchanged" ? "built" : verdict;
    if (is === verdictOf(host) || (is === "cancelled" && wasCancelled)) continue;
    if (is === "infra-failed" && gaveUp) continue;
    faults.push(
      fault(
        "wrong",
        `${host} is ${is}${reason === undefined ? "" : ` (${reason})`}, and should be ${verdictOf(host)}`,
      ),
    );
  }

  const state = foldEvents(id, events);
  const verdicts = [...state.hosts.values()].map((host) => host.finished?.verdict);
  const missing = verdicts.filter((verdict) => verdict === undefined).length;
  if (missing > 0) faults.push(fault("wrong", `it ended, and ${missing} hosts have no verdict`));
  const right: BuildVerdict =
    state.hosts.size === 0 && wasCancelled
      ? "cancelled"
      : decideBuildVerdict(verdicts.filter((verdict) => verdict !== undefined));
  if (state.status !== right)
    faults.push(fault("wrong", `the build is ${state.status}, and should be ${right}`));
  return faults;
}

/** A build that was resumed three times, each time in vain because its builder was killed, is rightly given up. */
export function wasGivenUp(events: readonly BuildEvent[]): boolean {
  const last = events.at(-1);
  if (last?.type !== "finished" || last.code !== "GIVEN_UP") return false;
  const before = events.slice(0, -1).filter(({ type }) => type !== "hosts-finished");
  return before.length > 3 && before.slice(-3).every(({ type }) => type === "resumed");
}
