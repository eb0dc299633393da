// What a host must be like after a deployment was broken off: one end, the one that may be, and everything of one system.
// Pure.
import type { DeployEvent } from "../../../src/protocol/deploy/deploy-events.ts";
import type { DeployOutcome } from "../../../src/protocol/deploy/deploy-codes.ts";
import type { HostRuns } from "../../support/lab/lab-host.ts";
import type { Fault } from "../judge-build.ts";

export interface HostFacts {
  /** Of the trial, for whoever reads the fault. */
  readonly name: string;
  readonly outcome: DeployOutcome;
  readonly target: string;
  readonly before: HostRuns;
  readonly after: HostRuns;
  /** Numbers of the profile's generations. */
  readonly generations: readonly number[];
  /** Of this order, in the host's journal. */
  readonly events: readonly DeployEvent[];
  /** The same as NATS has them. */
  readonly told: readonly DeployEvent[];
  /** State of each unit that must run. */
  readonly units: Readonly<Record<string, string>>;
  readonly failedUnits: readonly string[];
  /** Files that somebody forgot. */
  readonly leftFiles: readonly string[];
}

export function judgeHost(facts: HostFacts): readonly Fault[] {
  const { name, target, before, after, events, told } = facts;
  const faults: Fault[] = [];
  const wrong = (what: string): void => void faults.push({ kind: "wrong", build: name, what });
  const ends = events.filter((event) => event.type === "finished");
  const [end] = ends;
  if (end === undefined) {
    const seen = events.map(({ type }) => type).join(" ");
    return [{ kind: seen === "" ? "lost" : "endless", build: name, what: `it stopped at: ${seen}` }];
  }
  if (ends.length > 1) faults.push({ kind: "duplicated", build: name, what: `${ends.length} ends` });
  const { outcome, code, detail } = end;
  if (outcome !== facts.outcome) {
    wrong(`it is ${outcome} (${code ?? "no code"}: ${detail ?? ""}), and should be ${facts.outcome}`);
  }

  const isDone = outcome === "completed";
  const expected = isDone ? target : before.running;
  for (const place of ["running", "permanent", "bootDefault"] as const) {
    if (after[place] !== expected) wrong(`${place} is ${after[place]}, and should be ${expected}`);
  }
  if (!isDone) {
    if (after.generation !== before.generation) {
      wrong(`the generation is ${after.generation}, and was ${before.generation}`);
    }
    const newer = facts.generations.filter((number) => number > (before.generation ?? 0));
    if (newer.length > 0) wrong(`generations ${newer.join(", ")} are left`);
  }
  for (const [unit, state] of Object.entries(facts.units)) {
    if (state !== "active") wrong(`${unit} is ${state}`);
  }
  if (facts.failedUnits.length > 0) wrong(`failed: ${facts.failedUnits.join(", ")}`);
  if (facts.leftFiles.length > 0) wrong(`left: ${facts.leftFiles.join(", ")}`);
  if (JSON.stringify(told.map(placeOf)) !== JSON.stringify(events.map(placeOf))) {
    wrong(`NATS has ${told.map(placeOf).join(" ")}, and the journal ${events.map(placeOf).join(" ")}`);
  }
  return faults;
}

const placeOf = ({ index, type }: DeployEvent): string => `${index}:${type}`;
