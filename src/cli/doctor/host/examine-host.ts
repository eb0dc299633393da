// What a host needs that is deployed to. A machine is one when it has a policy.
import { access } from "node:fs/promises";
import { hasCode } from "../../../base/errors.ts";
import { silentLog } from "../../../base/log.ts";
import type { Config } from "../../../config/schema.ts";
import { memoryOf } from "../../../deploy/host-memory.ts";
import { readJournal } from "../../../deploy/journal-file.ts";
import { dialTcp, lookAtNetwork } from "../../../deploy/listener/network-evidence.ts";
import { createExec } from "../../../process/create-exec.ts";
import type { HostPolicy } from "../../../protocol/deploy/host-policy.ts";
import { readPolicy } from "../../../wiring/deploy/read-policy.ts";
import type { Context } from "../../context.ts";
import { natsTargetOf } from "../../session/connect.ts";
import { httpOrigins } from "../check-clock.ts";
import { findingOf, ok, unknown, type Finding } from "../finding.ts";
import { checkEnrolment } from "./check-enrolment.ts";
import { checkHostClock } from "./check-host-clock.ts";
import { checkSigners } from "./check-signers.ts";
import { checkWitnesses } from "./check-witnesses.ts";

/** Whether this machine is deployed to. */
export const isHost = async ({ listener }: Config): Promise<boolean> =>
  access(listener.policyFile).then(
    () => true,
    (error: unknown) => !hasCode(error, "ENOENT"),
  );

export async function examineHost(
  context: Context,
  config: Config,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const { clock, environment } = context;
  const { listener } = config;
  let policy: HostPolicy;
  try {
    policy = await readPolicy(listener.policyFile);
  } catch (error) {
    return [findingOf("host policy", error)];
  }
  const { repo, host, builtAfter, witnesses } = policy;
  const journal = await checkJournal(listener.journalDirectory);
  const [evidence, ofClock, enrolment] = await Promise.all([
    lookAtNetwork(policy, dialTcp, clock, signal),
    checkHostClock(
      { clockFloor: journal.clockFloor, builtAfter },
      httpOrigins([...witnesses, config.cache.url ?? ""]),
      { exec: createExec(clock), environment, clock, fetch },
      signal,
    ),
    examineEnrolment(context, config, policy, signal),
  ]);
  return [
    ok("host policy", `this is ${repo}/${host}`),
    checkSigners(policy, clock.now()),
    journal.finding,
    ...ofClock,
    ...checkWitnesses(witnesses, evidence),
    ...enrolment,
  ];
}

async function examineEnrolment(
  context: Context,
  config: Config,
  { repo, host, natsServers }: HostPolicy,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const servers = config.nats.servers ?? natsServers;
  const { connectNats } = await import("../../../bus/connect/connection.ts");
  try {
    const target = await natsTargetOf(context, { ...config, nats: { ...config.nats, servers } });
    return await checkEnrolment(
      {
        address: { repo, host },
        target,
        stateDirectory: config.listener.stateDirectory,
        connect: async (options, until) => connectNats(options, silentLog, until),
        clock: context.clock,
      },
      signal,
    );
  } catch (error) {
    signal.throwIfAborted();
    return [findingOf("NATS server", error)];
  }
}

/** The recovery at boot begins it; without it the listener judges no order. */
async function checkJournal(
  directory: string,
): Promise<{ readonly finding: Finding; readonly clockFloor?: string }> {
  const check = "journal of deployments";
  try {
    const content = await readJournal(directory);
    if (content === undefined) {
      return {
        finding: {
          check,
          state: "wrong",
          message: `there is no journal in ${directory}, so the host obeys no order`,
          hint: "start what makes it: systemctl restart homelab-deploy-recover",
        },
      };
    }
    const { clockFloor, isStuck, counts } = memoryOf(content.head, content.lines);
    if (isStuck) {
      return {
        clockFloor,
        finding: {
          check,
          state: "wrong",
          message: "a rollback failed here and nobody has recovered the host: it obeys no order",
          hint: "follow docs/guides/runbooks/rollback-failed.md, then homelab-deploy host recover",
        },
      };
    }
    const ended = counts.finished.reduce((sum, { count }) => sum + count, 0);
    return { clockFloor, finding: ok(check, `${ended} deployments have ended here`) };
  } catch (error) {
    if (!hasCode(error, "EACCES")) return { finding: findingOf(check, error) };
    const advice = "run doctor as root on this host";
    return { finding: unknown(check, `this user may not read the journal in ${directory}`, advice) };
  }
}
