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
  expect(missingVerdicts(script.state, classes)).toEqual([
    "web, db: built, but its post-build-hook failed: linux: /etc/nix/upload failed with exit code 1",
  ]);
});
