// A host that is deployed to. It is always one of NixOS, so it gets a module in every form.
import { userLabel } from "../../../bus/server/permissions.ts";
import type { Plan, PlannedHost } from "../decide-installation.ts";
import type { Part } from "../part.ts";
import { moduleFile, natsOptions, requireKey } from "./config-file.ts";
import { operatorName } from "./people.ts";

export function hostPart(plan: Plan, { repo, host }: PlannedHost): Part {
  const identity = { role: "listener", repo, host } as const;
  const name = userLabel(identity);
  return {
    name,
    goesTo: `the host ${host} of ${repo}`,
    holds: "a module for its configuration, and the listener's key of NATS",
    identity,
    files: ({ signing }) => [
      moduleFile({
        services: {
          "homelab-deploy": {
            listener: {
              enable: true,
              repo,
              host,
              nats: natsOptions(plan, name),
              trustedCacheKeys: plan.cache?.publicKeys,
              trustedKeys: Object.fromEntries(
                plan.people.operator.map((operator) => [
                  operator,
                  { key: requireKey(signing, operatorName(operator)) },
                ]),
              ),
              trustedBuilders: Object.fromEntries(
                plan.builders.map((builder) => [builder, { key: requireKey(signing, `builder-${builder}`) }]),
              ),
              allowedBranches: [plan.repos[repo]?.branch ?? "master"],
            },
          },
        },
      }),
    ],
    proofs: [{ command: "homelab-deploy host status", expects: "on the host, as root: what it runs" }],
  };
}
