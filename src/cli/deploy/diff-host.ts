import { HomelabError } from "../../base/errors.ts";
import type { Config } from "../../config/schema.ts";
import type { HostAddress } from "../../bus/deploy-bus.ts";
import { refusalError } from "../../deploy/ordering/refusal-error.ts";
import type { Context } from "../context.ts";
import type { DeploySession } from "../session/connect-deploy.ts";
import { readSystems, type ReadClosures } from "./read-closures.ts";
import { readChosen, type FactsSpecification } from "./read-chosen.ts";
import { diffSystems, type SystemDiff } from "./system-diff.ts";

export interface HostDiff extends HostAddress {
  readonly from: string;
  readonly to: string;
  /** Where the closures were read. */
  readonly by: ReadClosures["from"];
  readonly diff: SystemDiff;
}

/** @throws HomelabError `unavailable` `HOST_ABSENT`, `refused` `BAD_STATEMENT`, and what reading closures throws */
export async function diffHost(
  context: Context,
  config: Config,
  { reader, bus, signal }: DeploySession,
  specification: FactsSpecification,
): Promise<HostDiff> {
  const [facts, ...more] = await readChosen({ reader, bus }, specification, signal);
  if (facts === undefined || more.length > 0) {
    throw new HomelabError("usage", "one host is compared at a time", {
      code: "BAD_ARGUMENTS",
      hint: "name one host",
    });
  }
  const { address, state, stated } = facts;
  const from = state?.running.path ?? undefined;
  if (from === undefined) {
    throw new HomelabError("unavailable", `${address.host} has not reported what it runs`, {
      code: "HOST_ABSENT",
      hint: "look whether its listener runs and reaches NATS",
    });
  }
  const to = stated?.statement.path;
  if (to === undefined) {
    const detail = `no builder has stated a closure of ${address.host}`;
    throw refusalError({ code: "BAD_STATEMENT", detail }, `build it: homelab-deploy build ${address.host}`);
  }
  const { from: by, closures } = await readSystems(context, config, [from, to], signal);
  const [before, after] = closures;
  if (before === undefined || after === undefined) throw new TypeError("a closure is missing");
  return { ...address, from, to, by, diff: diffSystems(before, after) };
}
