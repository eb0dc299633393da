// What commands about deployments start with: the buses of builds, deployments and rollouts on one connection.
import type { BuildReader } from "../../bus/bus.ts";
import type { DeployBus } from "../../bus/deploy-bus.ts";
import type { RolloutBus } from "../../bus/rollout-bus.ts";
import type { Context } from "../context.ts";
import { connectCommand, loadCommandConfig } from "./connect.ts";
import { interruptible, type Interruptible } from "./signals.ts";

export interface DeploySession extends Interruptible, AsyncDisposable {
  readonly reader: BuildReader;
  readonly bus: DeployBus;
  readonly rollouts: RolloutBus;
}

export async function openDeploy(context: Context): Promise<DeploySession> {
  const interrupts = interruptible(context.signals);
  const connection = await connectCommand(context, await loadCommandConfig(context), interrupts.signal);
  const [{ createReader }, { createDeployBus }, { createRolloutBus }] = await Promise.all([
    import("../../bus/create-reader.ts"),
    import("../../bus/deploy/create-deploy-bus.ts"),
    import("../../bus/rollout/create-rollout-bus.ts"),
  ]);
  return {
    ...interrupts,
    reader: createReader(connection),
    bus: createDeployBus(connection),
    rollouts: createRolloutBus(connection),
    [Symbol.asyncDispose]: () => connection.close(),
  };
}
