// What `deploy`, `rollback` and `reboot` have in common: from names to orders.
import { decidePlan, type PlanSpecification } from "../../deploy/ordering/decide-plan.ts";
import type { Context } from "../context.ts";
import { openDeploy } from "../session/connect-deploy.ts";
import { loadOrderKey } from "./order-key.ts";
import { orderHosts, type OrderHostsOptions } from "./order-hosts.ts";
import { readChosen, type FactsSpecification } from "./read-chosen.ts";

export interface OrderCommandOptions extends OrderHostsOptions {
  readonly key?: string;
}

export async function runOrderCommand(
  context: Context,
  facts: FactsSpecification,
  specification: PlanSpecification,
  options: OrderCommandOptions,
): Promise<number> {
  await using session = await openDeploy(context);
  const hosts = await readChosen(session, facts, session.signal);
  const planned = decidePlan(hosts, specification, context.clock.now());
  const signer = () => loadOrderKey(options.key, context.environment);
  return await orderHosts(context, { ...session, signer }, planned, specification, options);
}
