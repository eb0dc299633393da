import { expect, test } from "vitest";
import type { UnitState } from "../host/system.ts";
import { activeUnits, decideUnits, flappingUnits, type UnitsQuestion } from "./decide-units.ts";

const unit = (name: string, more: Partial<UnitState> = {}): UnitState => ({
  name,
  names: [name],
  active: "active",
  sub: "running",
  result: "success",
  type: "simple",
  restarts: 0,
  isTriggered: false,
  isWanted: true,
  ...more,
});
const dead = { active: "inactive", sub: "dead" };
const decide = (now: readonly UnitState[], more: Partial<UnitsQuestion> = {}) =>
  decideUnits({
    failedBefore: [],
    activeBefore: now.map(({ name }) => name),
    afterSwitch: [],
    now,
    wanted: new Set(now.map(({ name }) => name)),
    failedToStart: [],
    ignored: [],
    ...more,
  });

test("a unit that ran and does not any more is lost", () => {
  expect(decide([unit("web.service", dead)]).lost).toEqual(["web.service"]);
});

test("only a unit that something active wants is lost: a job that has ended must not run again", () => {
  const now = [unit("web.service", dead), unit("sysinit-reactivation.target", { ...dead, isWanted: false })];
  expect(decide(now).lost).toEqual(["web.service"]);
});

/** The bus, as two releases of NixOS have it. */
const daemon = (more: Partial<UnitState> = {}) => unit("dbus.service", more);
const broker = (more: Partial<UnitState> = {}) =>
  unit("dbus-broker.service", { names: ["dbus-broker.service", "dbus.service"], ...more });
const failed = { active: "failed", sub: "failed", result: "exit-code" };

test.each<readonly [string, UnitState, UnitState]>([
  ["gets another name, with the former as its alias", daemon(), broker(dead)],
  ["gets the name that was its alias", broker(), daemon(dead)],
])("a unit that %s, and does not run any more, is lost", (_, before, after) => {
  const { lost } = decide([after], {
    activeBefore: activeUnits([before]),
    wanted: new Set(["dbus.service"]),
  });
  expect(lost).toEqual([after.name]);
});

test("a unit is known by each of its names: it runs, had failed before, is ignored", () => {
  const names = { activeBefore: ["dbus.service"], wanted: new Set(["dbus.service"]) };
  expect(decide([broker()], { ...names, failedToStart: ["dbus.service"] })).toMatchObject({
    new: [],
    lost: [],
  });
  expect(decide([broker(failed)], { ...names }).new).toEqual(["dbus-broker.service"]);
  expect(decide([broker(failed)], { ...names, failedBefore: ["dbus.service"] }).new).toEqual([]);
  expect(decide([broker(failed)], { ...names, ignored: ["dbus.service"] })).toMatchObject({
    new: [],
    lost: [],
  });
  const afterSwitch = [daemon({ restarts: 7 })];
  expect(decide([broker({ restarts: 8 })], { ...names, afterSwitch }).new).toEqual([]);
  expect(flappingUnits([daemon({ restarts: 7 })], [broker({ restarts: 7 })])).toEqual([]);
});

test("a unit that failed to start is named once, by the name that it has", () => {
  const bad = broker(failed);
  expect(decide([bad], { failedToStart: ["dbus.service", "gone.service"] }).new).toEqual([
    "dbus-broker.service",
    "gone.service",
  ]);
});

test("a unit that flapped before is known, at whatever moment one looks", () => {
  const earlier = [
    unit("flap.service", { restarts: 56 }),
    unit("web.service", { restarts: 3 }),
    unit("new.service"),
  ];
  const later = [
    unit("flap.service", { restarts: 57 }),
    unit("web.service", { restarts: 3 }),
    unit("bad.service", { active: "failed", sub: "failed" }),
  ];
  expect(flappingUnits(earlier, later)).toEqual(["bad.service", "flap.service"]);
});
