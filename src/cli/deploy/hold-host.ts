import { HomelabError } from "../../base/errors.ts";
import type { HostAddress } from "../../bus/deploy-bus.ts";
import type { Hold } from "../../protocol/deploy/host-state.ts";
import { requester } from "../builds/decide-request.ts";
import type { Context } from "../context.ts";
import type { DeploySession } from "../session/connect-deploy.ts";
import { readChosen } from "./read-chosen.ts";

/** Stores the hold, or ends the one that is there. */
export async function holdHost(
  { clock }: Pick<Context, "clock">,
  { reader, bus, signal }: Pick<DeploySession, "reader" | "bus" | "signal">,
  name: string,
  specification: Pick<Hold, "reason" | "until"> | undefined,
): Promise<HostAddress & { readonly hold?: Hold }> {
  const [facts, ...more] = await readChosen({ reader, bus }, { hosts: [name] }, signal);
  if (facts === undefined || more.length > 0) {
    throw new HomelabError("usage", "one host is held or released at a time", {
      code: "BAD_ARGUMENTS",
      hint: "name one host",
    });
  }
  const { address } = facts;
  const hold =
    specification === undefined
      ? undefined
      : {
          by: requester().slice(0, 64),
          reason: specification.reason.slice(0, 500),
          at: clock.now().toISOString(),
          ...(specification.until === undefined ? {} : { until: specification.until }),
        };
  await bus.putHold(address.repo, address.host, hold, signal);
  return hold === undefined ? address : { ...address, hold };
}
