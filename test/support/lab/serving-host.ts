// A host that has the NATS and the cache of its fleet, and is deployed to over that NATS and from that cache.
import { spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { RolesServer } from "../start-roles-server.ts";
import type { SystemSpecification } from "./fake-systems.ts";
import type { LabHost } from "./lab-host.ts";
import { sharedInHost, type Lab } from "./lab.ts";
import { programCommand, programUnit, unitText } from "./program-units.ts";

export const natsPort = 4222;
export const cachePort = 5000;
const directory = "/var/lib/nats";

export interface ServingSpecification {
  /** Versions of the two units: the switch restarts the one that has another. */
  readonly nats: string;
  readonly cache: string;
  /** Behind the configuration that everything else is in. */
  readonly natsConfiguration?: string;
  readonly cacheDirectory?: string;
}

/** What of a system makes it serve. */
export function servingUnits({
  nats,
  cache,
  natsConfiguration = "",
  cacheDirectory = `${sharedInHost}/cache`,
}: ServingSpecification): SystemSpecification {
  const program = spawnSync("sh", ["-c", "command -v nats-server"]).stdout.toString().trim();
  const start = `cat ${directory}/base.conf /etc/nats/more.conf > /run/nats.conf && exec ${program} -c /run/nats.conf`;
  const unit = (version: string) => ({ Description: `version ${version}` });
  return {
    wants: ["web.service", "nats.service", "cache.service"],
    etc: { "nats/more.conf": `${natsConfiguration}\n` },
    units: {
      "nats.service": unitText({ Unit: unit(nats), Service: { ExecStart: `/bin/sh -c "${start}"` } }),
      "cache.service": programUnit(
        programCommand("test/support/lab/serve-cache.ts", cacheDirectory, `${cachePort}`),
        { Unit: unit(cache) },
      ),
    },
  };
}

/** Puts the configuration of its server on the host's disk; that server is not running here any more. */
export async function giveServer(lab: Lab, host: LabHost, server: RolesServer): Promise<void> {
  await server.kill();
  const configuration = server.configurationAt(`0.0.0.0:${natsPort}`, `${directory}/store`);
  await writeFile(join(lab.sharedDirectory, "nats.conf"), configuration);
  await host.runOff("mkdir", "-p", directory);
  await host.runOff("cp", `${sharedInHost}/nats.conf`, `${directory}/base.conf`);
}
