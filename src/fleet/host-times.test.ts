import { expect, test } from "vitest";
import { scriptBuild } from "../../test/support/build-events.ts";
import { aBuildId } from "../../test/support/builds.ts";
import { hostTimes } from "./host-times.ts";

const minute = 60_000;

test("half and 95 % of the builds that built something for a host, the slowest host first", () => {
  const builds = [1, 2, 3, 20].map((minutes) =>
    scriptBuild(aBuildId(), "2026-11-20T12:00:00.000Z")
      .accepted(["web01", "db", "idle"])
      .hostsFinished("unchanged", ["idle"])
      .wait(minutes * minute)
      .hostsFinished("built", ["web01"])
      .wait(minute)
      .hostsFinished(minutes === 20 ? "build-failed" : "built", ["db"]),
  );
  expect(hostTimes(builds.map(({ state }) => state))).toEqual([
    { repo: "nixos-servers", host: "db", count: 3, medianMs: 3 * minute, slowMs: 4 * minute },
    { repo: "nixos-servers", host: "web01", count: 4, medianMs: 2 * minute, slowMs: 20 * minute },
  ]);
  expect(hostTimes([])).toEqual([]);
});
