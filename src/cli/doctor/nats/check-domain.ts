// The JetStream domain that is configured. With a wrong one everything that is stored seems to lack rights.
import type { Connection } from "../../../bus/connect/connection.ts";
import type { AskedServer } from "../../../bus/connect/describe-missing.ts";
import { apiSubject } from "../../../bus/jetstream-api.ts";
import { mayPublish } from "../../../bus/server/probe-permissions.ts";
import { streams } from "../../../protocol/subjects.ts";
import { wrong, type Finding } from "../finding.ts";

/** Undefined when the key may ask the domain, or when it may ask no JetStream at all: that is about its rights. */
export async function checkDomain({
  nats,
  jetstreamDomain: domain,
}: Pick<Connection, "nats" | "jetstreamDomain">): Promise<Finding | undefined> {
  if (domain === undefined) return undefined;
  const mayAsk = async (jetstreamDomain: string | undefined): Promise<boolean> =>
    mayPublish(nats, apiSubject({ jetstreamDomain }, `STREAM.INFO.${streams.events}`));
  if ((await mayAsk(domain)) || !(await mayAsk(undefined))) return undefined;
  const { info }: AskedServer["nats"] = nats;
  const own = info?.domain;
  return wrong(
    "JetStream domain",
    `this key may not ask the JetStream domain ${domain}, and may ask the server's own`,
    own === undefined && info?.jetstream !== true
      ? "set nats.jetstreamDomain to the `domain` in the `jetstream` block of the hub; this server has no JetStream"
      : own === undefined
        ? "remove nats.jetstreamDomain; it is only for a hub whose configuration was printed with `nats config --domain`"
        : `set nats.jetstreamDomain to ${own}, the domain of this server`,
  );
}
