import { expect, test } from "vitest";
import { someHostState } from "../../../test/support/fake-deploy-bus.ts";
import { runningHosts } from "../../fleet/running-hosts.ts";
import { parseBuildId, parseHostName, parseRepoName } from "../../protocol/names.ts";
import type { HostResult } from "../../protocol/results.ts";
import type { HostVerdict } from "../../protocol/verdicts.ts";
import { emptyPicture } from "../state/fleet-picture.ts";
import { arrange, buildClasses, fleetHosts, runningClasses } from "./fleet-hosts.ts";

const now = new Date("2026-11-29T12:01:00.000Z");
const resultOf = (host: string, verdict: HostVerdict): HostResult => ({
  repo: parseRepoName("nixos-servers"),
  host: parseHostName(host),
  verdict,
  build: parseBuildId("01JDB3K2M4N5P6Q7R8S9T0V1W2"),
});
const results = [resultOf("web01", "build-failed"), resultOf("dns01", "built"), resultOf("old", "built")];
const states = [
  someHostState({ host: "web01" }),
  someHostState({ host: "dns01", last: { outcome: "rolled-back", at: now.toISOString() } }),
  someHostState({ host: "nas", drift: ["profile"], role: "storage", labels: { rack: "cellar" } }),
];
const all = fleetHosts({
  ...emptyPicture(now),
  hosts: results,
  running: runningHosts({ rows: results, states, builds: [], holdOf: () => undefined }, now),
});
const named = (query: string): readonly string[] =>
  arrange(all, new URLSearchParams(query)).map(({ host }) => host);

test("every host that was built or spoke is there once", () => {
  expect(all.map(({ host, said }) => [host, said.word])).toEqual([
    ["dns01", "built"],
    ["nas", "never built"],
    ["old", "built"],
    ["web01", "build failed"],
  ]);
});

test.each([
  ["", ["dns01", "nas", "old", "web01"]],
  ["state=bad", ["web01"]],
  ["state=deploy-failed", ["dns01"]],
  ["state=drift", ["nas"]],
  ["q=storage", ["nas"]],
  ["q=rack%3Dcellar", ["nas"]],
  ["q=rolled", ["dns01"]],
  // A host that never spoke is not worse than one that is well.
  ["sort=state", ["dns01", "web01", "nas", "old"]],
  ["sort=-host", ["web01", "old", "nas", "dns01"]],
  ["sort=constructor", ["dns01", "nas", "old", "web01"]],
  ["state=toString", []],
])("%j shows %j", (query, hosts) => {
  expect(named(query)).toEqual(hosts);
});

test("classes have names of their own", () => {
  const names = [...buildClasses, ...runningClasses].map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
});
