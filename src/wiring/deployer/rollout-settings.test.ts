import { expect, test } from "vitest";
import * as v from "valibot";
import { parseConfig } from "../../config/load.ts";
import { parseRepoName } from "../../protocol/names.ts";
import { RolloutPolicy } from "../../protocol/rollout/rollout-policy.ts";
import { rolloutSettingsOf } from "./rollout-settings.ts";

const servers = parseRepoName("servers");
const settingsOf = (rollout: object, repos: object = {}) => {
  const { config } = parseConfig(
    JSON.stringify({ repos, deployer: { rollouts: { servers: rollout } } }),
    "f",
  );
  return rolloutSettingsOf(config).get(servers);
};

test("without a word about it, only people start rollouts, and by the protocol's own defaults", () => {
  expect(settingsOf({})).toEqual({
    automatic: false,
    branch: "master",
    whenOnlineMs: 7 * 86_400_000,
    policy: v.parse(RolloutPolicy, {}),
  });
});

test("the branch is that of the repo, unless the rollouts have one of their own", () => {
  const repos = { servers: { url: "https://git.lan/x.git", branch: "main" } };
  expect(settingsOf({}, repos)?.branch).toBe("main");
  expect(settingsOf({ branch: "release" }, repos)?.branch).toBe("release");
});

test("whatever is set arrives in a policy that can be stored and read again", () => {
  const label = "x".repeat(64);
  const policy = settingsOf({
    automatic: true,
    whenOnlineDays: 0,
    waves: Array.from({ length: 100 }, (_, index) => ({
      name: `w${index}`,
      wave: index,
      tiers: [label],
      roles: [label],
      hosts: ["web*"],
      labels: { [label]: label },
      manual: index % 2 === 0,
    })),
    maxUnavailable: 1000,
    maxFailures: 1000,
    onFailure: "rollback",
    soakSeconds: 0,
    gates: Array.from({ length: 20 }, (_, index) =>
      index % 2 === 0
        ? { kind: "http", name: `g${index}`, url: "https://x.lan/health?full=1" }
        : { kind: "prometheus", name: `g${index}`, url: "http://p.lan:9090", query: "up".padEnd(4000) },
    ),
    windows: Array.from({ length: 50 }, () => ({
      days: ["sun"],
      start: "02:00",
      minutes: 1440,
      zone: "UTC",
    })),
    reboots: "in-window",
  })?.policy;
  expect(v.parse(RolloutPolicy, JSON.parse(JSON.stringify(policy)))).toEqual(policy);
  expect([policy?.waves.length, policy?.gates.length, policy?.windows.length]).toEqual([100, 20, 50]);
});

test("the list of those who may sign is none of the policy that every rollout keeps", () => {
  const repos = { servers: { url: "https://git.lan/x.git" } };
  const settings = settingsOf({ allowedSigners: "/etc/allowed-signers" }, repos);
  expect(settings?.allowedSigners).toBe("/etc/allowed-signers");
  expect(settings?.policy).toEqual(v.parse(RolloutPolicy, {}));
});
