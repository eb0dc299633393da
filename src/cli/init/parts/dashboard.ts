// The pages in a browser, which may only read.
import type { Plan } from "../decide-installation.ts";
import { natsKeyFile, type Part } from "../part.ts";
import { dashboardSection } from "../units/sandbox.ts";
import { serviceUnit } from "../units/service-unit.ts";
import {
  commandOf,
  configFile,
  credential,
  credentialsOf,
  inPlaceCommand,
  moduleFile,
  natsOptions,
  natsSettings,
} from "./config-file.ts";

const unit = "homelab-deploy-dashboard.service";
const listen = "127.0.0.1:9482";

export function dashboardPart(plan: Plan, dashboard: string): Part {
  const name = `dashboard-${dashboard}`;
  const identity = { role: "dashboard", name: dashboard } as const;
  const { cache, form } = plan;
  const more = cache === undefined ? {} : { cache };
  return {
    name,
    goesTo: `the machine that shows the dashboard: ${dashboard}`,
    holds: "its configuration and its key of NATS",
    identity,
    files: () => [
      form === "nixos"
        ? moduleFile({
            services: {
              "homelab-deploy": {
                dashboard: {
                  enable: true,
                  nats: natsOptions(plan, name, `_INBOX_${name}`),
                  settings: more,
                },
              },
            },
          })
        : configFile({
            nats: natsSettings(plan, identity, credential(natsKeyFile)),
            ...more,
            dashboard: { listen },
          }),
    ],
    service: {
      units: [
        serviceUnit(plan, {
          name: unit,
          description: "Dashboard of homelab-deploy",
          startLimit: { StartLimitIntervalSec: 0 },
          service: dashboardSection({
            execStart: commandOf(plan, name, "dashboard"),
            loadCredential: credentialsOf(plan, name, [natsKeyFile]),
          }),
          isWanted: true,
        }),
      ],
      start: [unit],
      usesNix: false,
    },
    inPlace: inPlaceCommand(plan, name, "dashboard"),
    proofs: [{ command: `curl --fail --silent http://${listen}/healthz`, expects: "it exits with 0" }],
  };
}
