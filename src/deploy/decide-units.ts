// Whether a switch has broken units. The program itself looks for a quarter of a second: what dies later, what restarts in a
// loop, and what was lost because of something that it needs, is found here.
import type { UnitState } from "../host/system.ts";

export interface UnitsQuestion {
  readonly failedBefore: readonly string[];
  readonly activeBefore: readonly string[];
  /** Right after the switch, which sets the count of restarts to zero. */
  readonly afterSwitch: readonly UnitState[];
  /** Now that the system has settled. */
  readonly now: readonly UnitState[];
  /** Units of the new system. */
  readonly wanted: ReadonlySet<string>;
  /** Which the switch itself could not start. */
  readonly failedToStart: readonly string[];
  readonly ignored: readonly string[];
}

export interface UnitsDecision {
  readonly before: number;
  readonly after: number;
  readonly new: readonly string[];
  readonly lost: readonly string[];
}

/** Two more restarts than right after the switch: it does not stay up. */
const restartsOfALoop = 2;

export function decideUnits(question: UnitsQuestion): UnitsDecision {
  const { failedBefore, activeBefore, now, wanted, ignored } = question;
  const restartsBefore = restartsIn(question.afterSwitch);
  const byName = new Map(now.flatMap((unit) => unit.names.map((name) => [name, unit])));
  const namesOf = (name: string): readonly string[] => byName.get(name)?.names ?? [name];
  const isAmong = (name: string, list: readonly string[]): boolean =>
    namesOf(name).some((each) => list.includes(each));
  const failing = now.filter((unit) => isFailing(unit, restartsBefore(unit) ?? 0));
  const notStarted = question.failedToStart.flatMap((name) => {
    const unit = byName.get(name);
    if (unit === undefined) return [name];
    return isUp(unit) ? [] : [unit.name];
  });
  const fresh = [...new Set([...failing.map(({ name }) => name), ...notStarted])].filter(
    (name) => !isAmong(name, failedBefore) && !isAmong(name, ignored),
  );
  const lost = activeBefore.flatMap((name) => {
    const unit = byName.get(name);
    if (unit === undefined || !namesOf(name).some((each) => wanted.has(each))) return [];
    if (isAmong(name, ignored) || fresh.includes(unit.name)) return [];
    // A unit that nothing wants was started by a person or a job: it may have ended, and must not run twice.
    return unit.isWanted && !isUp(unit) ? [unit.name] : [];
  });
  return {
    before: failedBefore.length,
    after: failing.length,
    new: fresh.toSorted(),
    lost: [...new Set(lost)].toSorted(),
  };
}

/** How often a unit had been restarted by then, under whatever name; undefined if it did not exist. */
function restartsIn(units: readonly UnitState[]): (unit: UnitState) => number | undefined {
  const restarts = new Map(units.flatMap((unit) => unit.names.map((name) => [name, unit.restarts])));
  return ({ names }) => names.map((name) => restarts.get(name)).find((count) => count !== undefined);
}

const isFailing = ({ active, sub, restarts }: UnitState, restartsBefore: number): boolean =>
  active === "failed" || sub === "auto-restart" || restarts >= restartsBefore + restartsOfALoop;

/** It runs, has done what it was for, is being started, or will be when it is needed. */
const isUp = ({ active, sub, type, result, isTriggered }: UnitState): boolean =>
  active === "active" ||
  active === "reloading" ||
  (active === "activating" && sub !== "auto-restart") ||
  isTriggered ||
  (type === "oneshot" && active === "inactive" && result === "success");

/**
 * Units that do not stay up, however a look at one moment finds them: those that have failed, and those that were started
 * again between two looks.
 */
export function flappingUnits(earlier: readonly UnitState[], later: readonly UnitState[]): readonly string[] {
  const restarts = restartsIn(earlier);
  const again = later.filter((unit) => unit.restarts > (restarts(unit) ?? unit.restarts));
  return [...new Set([...failedUnits(earlier), ...failedUnits(later), ...again.map(({ name }) => name)])];
}

export const failedUnits = (units: readonly UnitState[]): readonly string[] =>
  units.filter(({ active, sub }) => active === "failed" || sub === "auto-restart").map(({ name }) => name);

/** By all their names: another system may call the same unit by another one. */
export const activeUnits = (units: readonly UnitState[]): readonly string[] =>
  units.filter(({ active }) => active === "active").flatMap(({ names }) => names);
