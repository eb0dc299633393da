import { expect, test } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { silentLog } from "../../base/log.ts";
import { createMemoryBus } from "../../bus/memory-bus.ts";
import { parseCommit, parseRepoName } from "../../protocol/names.ts";
import { decodeControl } from "../../protocol/request.ts";
import { newBuildId } from "../../protocol/ulid.ts";
import { buildWithin } from "./build-within.ts";

test("a build that takes too long is not waited for, and is cancelled", async () => {
  const bus = createMemoryBus(systemClock);
  const never = new AbortController().signal;
  const said: unknown[] = [];
  bus.watchControls((subject, data) => said.push([subject, decodeControl(data)]), never);
  const specification = {
    id: newBuildId(new Date()),
    repo: parseRepoName("nixos"),
    commit: parseCommit("a".repeat(40)),
    requestedBy: "update: what does it change?",
  };
  await expect(
    buildWithin({ builds: bus, log: silentLog, milliseconds: 10 }, specification, never),
  ).rejects.toMatchObject({ name: "TimeoutError" });
  expect(said).toEqual([
    [`build-control.${specification.id}`, { action: "cancel", requestedBy: "update: what does it change?" }],
  ]);
});
