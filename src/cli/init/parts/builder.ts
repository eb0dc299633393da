// A builder: normally on the machine whose store the cache serves.
import type { BuilderName } from "../../../protocol/names.ts";
import { placeOf, type Plan } from "../decide-installation.ts";
import type { Part } from "../part.ts";
import { natsKeyFile } from "../part.ts";
import { builderSection } from "../units/sandbox.ts";
import { nixServiceUnit } from "../units/service-unit.ts";
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

const statementKey = "statement.seed";
export const builderUnit = "homelab-deploy-builder.service";

export function builderPart(plan: Plan, builder: BuilderName): Part {
  const name = `builder-${builder}`;
  const identity = { role: "builder", name: builder } as const;
  const { cache, form } = plan;
  const secrets = secretsOfReader(plan, ...(cache === undefined ? [] : [statementKey]));
  const shared = {
    repos: reposSettings(plan, name),
    ...(cache === undefined ? {} : { cache: { ...cache, verifyBuilds: true } }),
  };
  return {
    name,
    goesTo: `the machine that builds: ${builder}`,
    holds: `its configuration and its key of NATS${cache === undefined ? "" : ", and the key that states which closure a host is"}`,
    identity,
    readsRepos: true,
    ...(cache === undefined ? {} : { signingKey: statementKey }),
    files: () => [
      form === "nixos"
        ? moduleFile({
            services: {
              "homelab-deploy": {
                builder: {
                  enable: true,
                  nats: natsOptions(plan, name),
                  settings: {
                    ...shared,
                    builder: {
                      name: builder,
                      statementKeyFile:
                        cache === undefined ? undefined : `${placeOf(plan, name)}/${statementKey}`,
                    },
                  },
                },
              },
            },
          })
        : configFile({
            nats: natsSettings(plan, identity, credential(natsKeyFile)),
            ...shared,
            builder: {
              name: builder,
              ...(form === "in-place" ? { stateDirectory: `${plan.installed}/state/${name}` } : {}),
              ...(cache === undefined ? {} : { statementKeyFile: credential(statementKey) }),
            },
          }),
    ],
    service: {
      units: [
        nixServiceUnit(plan, {
          name: builderUnit,
          description: "Builder of homelab-deploy",
          // Builds wait as long as NATS is away; giving up would need a person to start it again.
          startLimit: { StartLimitIntervalSec: 0 },
          service: builderSection({
            execStart: commandOf(plan, name, "builder"),
            loadCredential: credentialsOf(plan, name, secrets),
            stateDirectory: "homelab-deploy",
          }),
          isWanted: true,
        }),
      ],
      start: [builderUnit],
      user: "homelab-deploy",
      usesNix: true,
    },
    inPlace: inPlaceCommand(plan, name, "builder"),
    proofs: [
      form === "in-place"
        ? { command: inPlaceCommand(plan, name, "doctor"), expects: "no line begins with ✗" }
        : {
            command:
              form === "nixos"
                ? "homelab-deploy-builder doctor"
                : `runuser --user homelab-deploy -- env HOME=/var/lib/homelab-deploy NIX_REMOTE=daemon CREDENTIALS_DIRECTORY=/run/credentials/${builderUnit} ${commandOf(plan, name, "doctor")}`,
            expects: "no line begins with ✗",
          },
    ],
  };
}
