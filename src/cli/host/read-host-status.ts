// What a host says about itself on its own terminal: from its links and its journal, without NATS.
import { isHandMade, rollbackFailedHold } from "../../deploy/host-memory.ts";
import type { ComposedHost } from "../../wiring/deploy/compose-host.ts";

export type HostStatus = Awaited<ReturnType<typeof readHostStatus>>;

export async function readHostStatus({ policy, system, readMemory }: ComposedHost, signal: AbortSignal) {
  const [paths, memory] = [await system.readPaths(signal), await readMemory()];
  return {
    repo: policy.repo,
    host: policy.host,
    running: paths.running ?? null,
    permanent: paths.permanent ?? null,
    bootDefault: paths.bootDefault ?? null,
    booted: paths.booted ?? null,
    previous: memory?.previous ?? null,
    reboot:
      paths.booted === undefined || paths.permanent === undefined
        ? []
        : await system.rebootParts(paths.booted, paths.permanent.path),
    isHandMade: memory !== undefined && isHandMade(memory, paths.running),
    hold: policy.hold ?? (memory?.isStuck === true ? rollbackFailedHold : null),
    migration: policy.migration,
    deployment:
      memory?.current === undefined
        ? null
        : {
            order: memory.current.order.id,
            path: memory.current.order.path,
            by: memory.current.order.by,
            phase: memory.current.phase,
            since: memory.current.since,
          },
    last: memory?.last ?? null,
    completed: memory?.completed.slice(-5) ?? [],
  };
}
