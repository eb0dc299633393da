import { expect, test } from "vitest";
import { scriptBuild } from "../../../test/support/build-events.ts";
import type { HostClass } from "./decide-classes.ts";
import { missingVerdicts } from "./missing-verdicts.ts";

test("each reason once, with the hosts that have it", () => {
  const script = scriptBuild().accepted(["web", "db", "nas"]);
  const reason =
    "built, but its post-build-hook failed: linux: /etc/nix/upload failed with exit code 1\nmore";
  script.hostsFinished("infra-failed", ["web", "db"], { reason }).hostsFinished("built", ["nas"]);
  const classes = new Map<string, HostClass>([
    ["web", "infra"],
    ["db", "infra"],
    ["nas", "ok"],
  ]);
  expect(missingVerdicts({ state: script.state, classes })).toEqual([
    "web, db: built, but its post-build-hook failed: linux: /etc/nix/upload failed with exit code 1",
  ]);
});

test("of a host that fails, it is said why nobody can compare it with the base", () => {
  const { state } = scriptBuild().accepted(["web", "db"]).hostsFinished("build-failed", ["web", "db"]);
  const baseState = scriptBuild()
    .accepted(["web"])
    .hostsFinished("infra-failed", ["web"], { reason: "no disk" }).state;
  const classes = new Map<string, HostClass>([
    ["web", "infra"],
    ["db", "infra"],
  ]);
  expect(missingVerdicts({ state, baseState, classes })).toEqual([
    "web: it fails, and it is unknown whether it did before: no disk",
    "db: it fails, and it is unknown whether it did before: the base was not built",
  ]);
});
