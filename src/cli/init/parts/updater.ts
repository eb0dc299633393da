// What updates the flake inputs of the repos, each on a timer of its own.
import type { Plan } from "../decide-installation.ts";
import { natsKeyFile, type Part } from "../part.ts";
import { updateSection } from "../units/sandbox.ts";
import { nixServiceUnit } from "../units/service-unit.ts";
import type { UnitFile } from "../units/unit-file.ts";
import {
  commandOf,
  configFile,
  credential,
  credentialsOf,
  inPlaceCommand,
  moduleFile,
  natsOptions,
  natsSettings,
  reposSettings,
  secretsOfReader,
} from "./config-file.ts";

export function updaterPart(plan: Plan, updater: string): Part {
  const name = `updater-${updater}`;
  const identity = { role: "updater", name: updater } as const;
  const { form } = plan;
  const repos = Object.keys(plan.repos);
  return {
    name,
    goesTo: `the machine that updates flake inputs: ${updater}`,
    holds: "its configuration and its key of NATS",
    identity,
    readsRepos: true,
    files: () => [
      form === "nixos"
        ? moduleFile({
            services: {
              "homelab-deploy": {
                update: {
                  enable: true,
                  nats: natsOptions(plan, name, `_INBOX_${name}`),
                  settings: { repos: reposSettings(plan, name) },
                },
              },
            },
          })
        : configFile({
            nats: natsSettings(plan, identity, credential(natsKeyFile)),
            repos: reposSettings(plan, name),
            ...(form === "in-place" ? { update: { stateDirectory: `${plan.installed}/state/${name}` } } : {}),
          }),
    ],
    service: {
      units: repos.flatMap((repo) => unitsOf(plan, name, repo)),
      start: repos.map((repo) => `${unitName(repo)}.timer`),
      user: "homelab-deploy-update",
      usesNix: true,
    },
    proofs: [
      {
        command:
          form === "in-place"
            ? inPlaceCommand(plan, name, "update", "--dry-run")
            : `systemctl start ${unitName(repos[0] ?? "")}.service`,
        expects: "it exits with 0; `systemctl status` shows what landed or was proposed",
      },
    ],
  };
}

const unitName = (repo: string): string => `homelab-deploy-update-${repo}`;

const unitsOf = (plan: Plan, part: string, repo: string): readonly UnitFile[] => [
  nixServiceUnit(plan, {
    name: `${unitName(repo)}.service`,
    description: `Safe update of the flake inputs of ${repo}`,
    // With Restart=: at most six tries a day.
    startLimit: { StartLimitIntervalSec: "1d", StartLimitBurst: 6 },
    service: updateSection({
      execStart: commandOf(plan, part, "update", "--repo", repo, "--proposal-succeeds"),
      loadCredential: credentialsOf(plan, part, secretsOfReader(plan)),
      stateDirectory: `homelab-deploy-update/${repo}`,
    }),
    isWanted: false,
  }),
  {
    name: `${unitName(repo)}.timer`,
    sections: {
      Unit: { Description: `Time of the update of ${repo}` },
      Timer: { OnCalendar: "Sun 02:00", RandomizedDelaySec: "15min", Persistent: true },
      Install: { WantedBy: "timers.target" },
    },
  },
];
