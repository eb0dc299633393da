// NATS, in the order in which one thing needs the other: what cannot work because of something else is not looked at.
import { silentLog } from "../../../base/log.ts";
import type { Connection } from "../../../bus/connect/connection.ts";
import { tryStorage } from "../../../bus/server/try-storage.ts";
import type { Config } from "../../../config/schema.ts";
import { newBuildId } from "../../../protocol/ulid.ts";
import { builderName } from "../../../wiring/compose-builder.ts";
import type { Context } from "../../context.ts";
import { connectCommand, natsTargetOf, type NatsTarget } from "../../session/connect.ts";
import { checkDomain } from "./check-domain.ts";
import { checkIdentity } from "./check-inbox.ts";
import { checkNatsCopies } from "./check-nats-copies.ts";
import { checkNatsDurability } from "./check-nats-durability.ts";
import { checkNatsLimits } from "./check-nats-limits.ts";
import { checkNatsRights, roleOf } from "./check-nats-rights.ts";
import { checkHostClocks } from "./check-host-clocks.ts";
import { checkAccounts, checkBuilders, checkStreamSettings, describeServer } from "./check-nats.ts";
import { findingOf, isWrong, ok, type Finding } from "../finding.ts";

export async function examineNats(
  context: Context,
  config: Config,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  try {
    const [{ createReader }, { createDeployReader }] = await Promise.all([
      import("../../../bus/create-reader.ts"),
      import("../../../bus/deploy/create-deploy-reader.ts"),
    ]);
    const target = await natsTargetOf(context, config);
    const { inboxPrefix } = target;
    await using connection = await connectCommand(context, config, signal);
    const builder = Object.keys(config.repos).length === 0 ? undefined : builderName(config.builder);
    const server = describeServer(connection);
    const stranger = await checkIdentity(connection, { inboxPrefix, builder });
    if (stranger?.check === "NATS inbox") return [...server, stranger];
    const domain = await checkDomain(connection);
    if (domain !== undefined) return [...server, domain];
    const { nats } = connection;
    const asked = {
      address: nats.getServer(),
      version: nats.info?.version,
      monitoringUrl: config.nats.monitoringUrl,
    };
    const rights = await checkNatsRights(connection, inboxPrefix);
    const { finding: streams, areThere, areLed } = await checkStreamSettings(connection, signal);
    const { role } = roleOf(inboxPrefix);
    const mayStore = role === "builder" && !rights.some(isWrong);
    const mayReadHosts = role !== "updater" && !rights.some(isWrong);
    return [
      ...server,
      ...(await checkOtherServers(target, signal)),
      ...(stranger === undefined ? [] : [stranger]),
      await checkNatsDurability(asked, fetch, signal),
      ...(areThere ? await checkNatsCopies(connection, signal) : []),
      await checkAccounts(connection),
      ...rights,
      ...(areLed ? await checkNatsLimits(connection, signal) : []),
      streams,
      ...(areThere && mayStore ? [await checkStorage(connection, context.clock.now(), signal)] : []),
      ...(areThere ? await checkBuilders(createReader(connection), context.clock.now(), signal) : []),
      ...(areThere && mayReadHosts
        ? await checkHostClocks(createDeployReader(connection), context.clock.now(), signal)
        : []),
    ];
  } catch (error) {
    signal.throwIfAborted();
    return [findingOf("NATS server", error)];
  }
}

/** A command takes the first of several that answers: that another one is away shows when it is needed. */
async function checkOtherServers(target: NatsTarget, signal: AbortSignal): Promise<readonly Finding[]> {
  if (target.servers.length < 2) return [];
  const { connectNats } = await import("../../../bus/connect/connection.ts");
  const findings = target.servers.map(async (server): Promise<readonly Finding[]> => {
    try {
      const one = { ...target, servers: [server], name: "homelab-deploy doctor", role: "command" } as const;
      await (await connectNats(one, silentLog, signal)).close();
      return [];
    } catch (error) {
      signal.throwIfAborted();
      return [{ ...findingOf("NATS servers", error), state: "warning" }];
    }
  });
  return (await Promise.all(findings)).flat();
}

/** One message, stored and read again. */
async function checkStorage(connection: Connection, now: Date, signal: AbortSignal): Promise<Finding> {
  const check = "NATS storage";
  try {
    await tryStorage(connection, newBuildId(now), signal);
    return ok(check, "a message was stored, and read again");
  } catch (error) {
    signal.throwIfAborted();
    return findingOf(check, error);
  }
}
