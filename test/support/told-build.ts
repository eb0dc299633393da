// A build of a branch's tip as its builder would tell it, without one.
import type { BuilderBus } from "../../src/bus/bus.ts";
import type { EventBody, EventOf } from "../../src/protocol/events.ts";
import { parseBuilderName, type BranchName, type BuildId, type Commit } from "../../src/protocol/names.ts";
import { newBuildId } from "../../src/protocol/ulid.ts";

/** As many as fit into an event. */
const hostsInEvent = 200;

export interface ToldBuild {
  readonly branch: BranchName;
  readonly commit: Commit;
  readonly at: string;
  /** All hosts of one repo, and how each of them ended. */
  readonly hosts: EventOf<"hosts-finished">["hosts"];
  readonly verdict: EventOf<"finished">["verdict"];
}

export async function tellBuild(
  bus: Pick<BuilderBus, "openEventLog">,
  { branch, commit, at, hosts, verdict }: ToldBuild,
  signal: AbortSignal,
): Promise<BuildId> {
  const id = newBuildId(new Date(at));
  const addresses = hosts.map(({ repo, host }) => ({ repo, host }));
  const [first] = addresses;
  if (first === undefined) throw new RangeError("a build is of some host");
  const bodies: EventBody[] = [
    {
      type: "accepted",
      builder: parseBuilderName("b1"),
      priority: "batch",
      trigger: "manual",
      sources: [{ repo: first.repo, branch, commit, tip: true }],
      hosts: addresses,
      complete: true,
      skipped: [],
    },
    ...Array.from({ length: Math.ceil(hosts.length / hostsInEvent) }, (_, part): EventBody => ({
      type: "hosts-finished",
      hosts: hosts.slice(part * hostsInEvent, (part + 1) * hostsInEvent),
    })),
    { type: "finished", verdict, durationMs: 1 },
  ];
  const log = await bus.openEventLog(id, [], signal);
  for (const [index, body] of bodies.entries()) {
    await log.append({ build: id, epoch: 1, index, at, ...body }, signal);
  }
  return id;
}
