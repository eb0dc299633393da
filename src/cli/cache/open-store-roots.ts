// What commands about the builder's GC roots start with: its roots, and a Nix to measure them.
import { join } from "node:path";
import { HomelabError } from "../../base/errors.ts";
import type { RetentionOptions } from "../../cache/retain.ts";
import type { Config } from "../../config/schema.ts";
import type { GcRoots, RootedCommit } from "../../nix/gc-roots.ts";
import type { Store } from "../../nix/store.ts";
import { createExec } from "../../process/create-exec.ts";
import { connectCommand, loadCommandConfig } from "../session/connect.ts";
import type { Context } from "../context.ts";
import { userStateDirectory } from "../session/local-builder.ts";
import { composeRetention, openGcRoots } from "../../wiring/open-gc-roots.ts";
import { createPeopleLog } from "../session/people-log.ts";

export interface StoreRoots {
  readonly config: Config;
  readonly gcRoots: GcRoots;
  readonly retention: RetentionOptions;
  readonly nix: Store;
  readonly commits: readonly RootedCommit[];
}

/** @throws HomelabError `usage` `NO_GC_ROOTS` where no builder with this configuration has built anything. */
export async function openStoreRoots(context: Context, signal: AbortSignal): Promise<StoreRoots> {
  const config = await loadCommandConfig(context);
  const { environment, clock } = context;
  const { stateDirectory } = config.builder;
  const exec = createExec();
  const log = createPeopleLog(context);
  const { createNix } = await import("../../nix/create-nix.ts");
  // The builder's own directory may be closed to whoever asks.
  const ours = join(userStateDirectory(environment), "local/nix");
  const nix = await createNix({ exec, environment, stateDirectory: ours, clock, log }, signal);
  const gcRoots = openGcRoots({
    stateDirectory,
    nixStateDirectory: nix.stateDirectory,
    exec,
    environment,
    clock,
  });
  const commits = await gcRoots.list();
  if (commits.length === 0) {
    throw new HomelabError("usage", `there are no GC roots in ${stateDirectory}/gcroots`, {
      code: "NO_GC_ROOTS",
      hint: "run it on the builder, with the builder's configuration, as a user who may read that directory",
    });
  }
  /** Connects only where something would go. */
  const deployedSystems: RetentionOptions["deployedSystems"] = async (repo, until) => {
    await using connection = await connectCommand(context, config, until);
    const [{ createReader }, { createDeployReader }, { readDeployedSystems }] = await Promise.all([
      import("../../bus/create-reader.ts"),
      import("../../bus/deploy/create-deploy-reader.ts"),
      import("../../wiring/deploy/deployed-systems.ts"),
    ]);
    const { results } = createReader(connection);
    return await readDeployedSystems({ deployments: createDeployReader(connection), results })(repo, until);
  };
  const retention = composeRetention({ config, gcRoots, exec, environment, clock, log, deployedSystems });
  return { config, gcRoots, retention, nix, commits };
}

/** Says on a terminal how far the reading of closures is; nothing elsewhere. */
export function sayReading({ err }: Context): (done: number, all: number) => void {
  if (err.isTTY !== true) return () => undefined;
  return (done, all) => err.write(done === all ? "\r\u001b[K" : `\rreading closures: ${done} of ${all}`);
}
