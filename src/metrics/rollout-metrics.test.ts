import { expect, test } from "vitest";
import { aRolloutEvent, aRolloutId, created, rolloutRepo } from "../../test/support/rollout-events.ts";
import { silentLog } from "../base/log.ts";
import { parseHostName, parseRepoName } from "../protocol/names.ts";
import { foldRollout, type Rollout } from "../protocol/rollout/rollout.ts";
import { createRolloutMetrics, type FleetMeasures } from "./rollout-metrics.ts";
import { rolloutStateOf } from "./rollout-state.ts";

const nobody: FleetMeasures = { repos: undefined, isNatsConnected: false };
const desktops = parseRepoName("desktops");

function start(measure: () => Promise<FleetMeasures>) {
  const repos = [rolloutRepo, desktops];
  const metrics = createRolloutMetrics({ repos, version: "1.2.3", measure, bugs: () => 2, log: silentLog });
  return {
    ...metrics,
    /** Those of our own that are not about the process, without `homelab_deploy_`. */
    lines: async (pattern: RegExp) =>
      (await metrics.render()).split("\n").filter((line) => !line.startsWith("#") && pattern.test(line)),
  };
}

test("every series is there before anything happened, and what is not known is not 0", async () => {
  const { lines } = start(async () => nobody);
  expect(await lines(/rollouts_total.*(?:failed|completed)"/)).toEqual([
    'homelab_deploy_rollouts_total{repo="servers",outcome="completed"} 0',
    'homelab_deploy_rollouts_total{repo="servers",outcome="failed"} 0',
    'homelab_deploy_rollouts_total{repo="desktops",outcome="completed"} 0',
    'homelab_deploy_rollouts_total{repo="desktops",outcome="failed"} 0',
  ]);
  expect(await lines(/rollout_orders_rejected_total.*BAD_SIGNATURE/)).toHaveLength(2);
  expect(await lines(/rollout_state\{repo="servers",state="halted"|hosts_.*servers|internal|nats/)).toEqual([
    "homelab_deploy_internal_errors_total 2",
    "homelab_deploy_deployer_nats_connected 0",
    'homelab_deploy_rollout_state{repo="servers",state="halted"} Nan',
    'homelab_deploy_hosts_absent{repo="servers"} Nan',
    'homelab_deploy_hosts_behind{repo="servers"} Nan',
  ]);
});

test("what this deployer stored is counted", async () => {
  const { lines, observe } = start(async () => nobody);
  const id = aRolloutId();
  const order = "01JDB3K2M4N5P6Q7R8S9T0V1W2";
  observe(created(id));
  observe(
    aRolloutEvent(id, {
      type: "ended",
      results: [
        { host: "web01", order, outcome: "rejected", code: "BAD_SIGNATURE" },
        { host: "web02", order, outcome: "failed", code: "NO_SPACE" },
      ],
    }),
  );
  observe(aRolloutEvent(id, { type: "finished", outcome: "failed" }));
  expect(await lines(/_total\{.* [1-9]/)).toEqual([
    'homelab_deploy_rollouts_total{repo="servers",outcome="failed"} 1',
    'homelab_deploy_rollout_orders_rejected_total{repo="servers",code="BAD_SIGNATURE"} 1',
  ]);
});

test("hosts are shown as they are now, and those that are gone are not", async () => {
  const host = (name: string, more: object = {}) => ({
    host: parseHostName(name),
    seenAt: new Date("2026-11-29T12:00:00.900Z"),
    isAbsent: false,
    isBehind: false,
    ...more,
  });
  const hosts = [
    host("web01"),
    host("db01", { isAbsent: true, isBehind: true }),
    host("new", { isBehind: undefined }),
  ];
  let now = hosts;
  const { lines } = start(async () => ({
    repos: new Map([[rolloutRepo, { state: "halted" as const, hosts: now }]]),
    isNatsConnected: true,
  }));
  expect(await lines(/servers.* [1-9]|host_behind/)).toEqual([
    'homelab_deploy_rollout_state{repo="servers",state="halted"} 1',
    'homelab_deploy_hosts_absent{repo="servers"} 1',
    'homelab_deploy_hosts_behind{repo="servers"} 1',
    'homelab_deploy_host_seen_timestamp_seconds{repo="servers",host="web01"} 1795953600',
    'homelab_deploy_host_seen_timestamp_seconds{repo="servers",host="db01"} 1795953600',
    'homelab_deploy_host_seen_timestamp_seconds{repo="servers",host="new"} 1795953600',
    'homelab_deploy_host_behind{repo="servers",host="web01"} 0',
    'homelab_deploy_host_behind{repo="servers",host="db01"} 1',
  ]);
  now = hosts.slice(0, 1);
  expect(await lines(/host_(?:seen|behind)/)).toHaveLength(2);
});

test("a measure that fails is no reason for a scrape to fail", async () => {
  const { lines } = start(async () => {
    throw new Error("NATS is away");
  });
  expect(await lines(/hosts_absent\{repo="servers"/)).toEqual([
    'homelab_deploy_hosts_absent{repo="servers"} Nan',
  ]);
});

const planned = {
  type: "planned",
  part: 0,
  parts: 1,
  waves: [{ name: "a" }, { name: "b" }],
  hosts: [{ host: "web01", wave: 0, path: `/nix/store/${"a".repeat(32)}-x` }],
};

const rolloutOf = (number: number, events: readonly object[]): Rollout[] => {
  const id = aRolloutId(number);
  const rollout = foldRollout([created(id), ...events.map((event) => aRolloutEvent(id, event, number + 1))]);
  return rollout === undefined ? [] : [rollout];
};
const soaking = { type: "soaking", wave: 0, until: "2026-11-29T13:00:00.000Z" };
const halted = { type: "halted", code: "GATE_FAILED", detail: "x" };

test.each<[string, readonly (readonly object[])[]]>([
  ["idle", []],
  ["idle", [[planned, { type: "finished", outcome: "completed" }]]],
  ["waiting", [[]]],
  ["running", [[planned]]],
  ["running", [[], [planned, { type: "wave-started", wave: 0 }]]],
  ["soaking", [[planned, soaking]]],
  ["running", [[planned, soaking, { type: "soaked", wave: 0 }]]],
  ["paused", [[planned, { type: "paused", by: "kai" }]]],
  ["halted", [[planned, soaking, halted]]],
  ["running", [[planned, halted, { type: "resumed", by: "kai" }]]],
  ["aborting", [[planned, halted, { type: "aborted", by: "kai" }]]],
])("rollouts of a repo are %s with %j", (state, logs) => {
  expect(rolloutStateOf(logs.flatMap((events, index) => rolloutOf(index * 10, events)))).toBe(state);
});
