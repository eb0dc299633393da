// `homelab-deploy …` as an operator of a fleet, on a machine of its own.
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { compileCache } from "../../compile-cache.ts";
import type { RolesServer } from "../../start-roles-server.ts";
import type { CommandResult } from "../deploy-lab.ts";

const program = join(import.meta.dirname, "../../../../src/cli/main.ts");

export interface OperatorOptions {
  /** The operator's home. */
  readonly directory: string;
  readonly server: RolesServer;
  /** Of a key that signs orders. */
  readonly keyFile?: string;
}

export async function createOperator({
  directory,
  server,
  keyFile,
}: OperatorOptions): Promise<(...args: readonly string[]) => Promise<CommandResult>> {
  const config = join(directory, "config.json");
  const nats = { servers: [server.url], ...server.settingsOf("operator") };
  await writeFile(config, JSON.stringify({ nats }));
  const environment = {
    HOME: directory,
    HOMELAB_DEPLOY_CONFIG: config,
    ...(keyFile === undefined ? {} : { HOMELAB_DEPLOY_KEY: keyFile }),
    ...compileCache,
  };
  return async (...args) =>
    new Promise((resolve) => {
      execFile(
        process.execPath,
        [program, ...args],
        { env: { ...process.env, ...environment }, maxBuffer: 64 * 1024 * 1024 },
        (error, stdout, stderr) => resolve({ exitCode: error?.code ?? 0, stdout, stderr }),
      );
    });
}
