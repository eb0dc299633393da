import { expect, test } from "vitest";
import { someHostState } from "../../../test/support/fake-deploy-bus.ts";
import { runningHosts } from "../../fleet/running-hosts.ts";
import { emptyPicture } from "../state/fleet-picture.ts";
import { fleetHosts } from "./fleet-hosts.ts";
import { hostTables } from "./fleet-table.ts";

const now = new Date("2026-11-29T12:01:00.000Z");
const states = [
  someHostState({ host: "canary", wave: 0, role: "web" }),
  someHostState({ host: "web01", wave: 2, role: "web" }),
  someHostState({ host: "web10", wave: 10 }),
  someHostState({ host: "laptop", wave: undefined }),
];
const all = fleetHosts({
  ...emptyPicture(now),
  running: runningHosts({ rows: [], states, builds: [], holdOf: () => undefined }, now),
});
const groupsOf = (query: string): readonly (readonly [string, readonly string[]])[] =>
  hostTables(new URL(`http://d/${query}`), all, all.length).map(({ key, rows }) => [
    key,
    rows.map((row) => row.key),
  ]);

test("hosts by wave, in the order of the waves, and those without one last", () => {
  expect(groupsOf("?group=wave")).toEqual([
    ["hosts:Wave 0", ["host:nixos-servers/canary"]],
    ["hosts:Wave 2", ["host:nixos-servers/web01"]],
    ["hosts:Wave 10", ["host:nixos-servers/web10"]],
    ["hosts:No wave", ["host:nixos-servers/laptop"]],
  ]);
  expect(groupsOf("?group=role").map(([key]) => key)).toEqual(["hosts:Role web", "hosts:No role"]);
});

test("without groups, and with one that there is not, they are in one table", () => {
  for (const query of ["", "?group=constructor"]) {
    expect(groupsOf(query).map(([key, rows]) => [key, rows.length])).toEqual([["hosts", 4]]);
  }
});
