import { expect, test } from "vitest";
import { aStatus } from "../../test/support/builds.ts";
import { someHostState } from "../../test/support/fake-deploy-bus.ts";
import { findClockFaults } from "./clock-faults.ts";
import { runningHosts } from "./running-hosts.ts";

const now = new Date("2026-11-29T12:00:00.000Z");

test("a host that says so, and a builder whose last word is of the future, have wrong clocks", () => {
  const states = [
    someHostState({ host: "web01" }),
    someHostState({ host: "nas", clock: { ok: false, offsetMs: -90_000 } }),
    someHostState({ host: "rpi", clock: { ok: false } }),
  ];
  const hosts = runningHosts({ rows: [], states, builds: [], holdOf: () => undefined }, now);
  const builders = [
    aStatus("good", "2026-11-29T12:00:03.000Z"),
    aStatus("old", "2026-11-29T11:00:00.000Z"),
    aStatus("ahead", "2026-11-29T12:02:00.000Z"),
  ];
  expect(findClockFaults(hosts, builders, now)).toEqual([
    { name: "builder ahead", offsetMs: 120_000 },
    { name: "nixos-servers/nas", offsetMs: -90_000 },
    { name: "nixos-servers/rpi", offsetMs: undefined },
  ]);
  expect(findClockFaults([], [], now)).toEqual([]);
});
