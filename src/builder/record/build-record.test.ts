import { expect, test } from "vitest";
import { scriptBuild } from "../../../test/support/build-events.ts";
import { createFakeClock } from "../../../test/support/fake-clock.ts";
import type { BuildEvent, EventBody } from "../../protocol/events.ts";
import { parseHostName, parseRepoName } from "../../protocol/names.ts";
import { createBuildRecord, takeNext } from "./build-record.ts";

const repo = parseRepoName("nixos");

test("events of the same kind that wait together become one, and the order stays", () => {
  const host = (name: string) => ({
    repo,
    host: parseHostName(name),
    verdict: "built" as const,
    durationMs: 1,
  });
  const queue: EventBody[] = [
    { type: "hosts-finished", hosts: [host("a")] },
    { type: "hosts-finished", hosts: [host("b"), host("c")] },
    { type: "warning", message: "w" },
    { type: "hosts-finished", hosts: [host("d")] },
  ];
  expect(takeNext(queue)).toEqual([{ type: "hosts-finished", hosts: [host("a"), host("b"), host("c")] }]);
  expect(takeNext(queue)).toEqual([{ type: "warning", message: "w" }]);
  expect(takeNext(queue)).toEqual([{ type: "hosts-finished", hosts: [host("d")] }]);
  expect(takeNext(queue)).toEqual([]);
});

test("an event that cannot be stored ends the build, and leaves no gap", async () => {
  const initial = scriptBuild().accepted(["web01"]).state;
  const stored: BuildEvent[] = [];
  const failure = new TypeError("an event is not valid");
  const record = createBuildRecord({
    initial,
    epoch: 1,
    writer: {
      async append(event) {
        if (event.type === "building") throw failure;
        stored.push(event);
      },
    },
    clock: createFakeClock(),
    onStored: () => undefined,
  });
  const [host] = initial.hosts.values();
  record.emit({ type: "warning", message: "w" });
  record.emit({ type: "building", hosts: host === undefined ? [] : [{ repo: host.repo, host: host.host }] });
  await expect(record.run(new AbortController().signal)).rejects.toBe(failure);
  expect(stored.map(({ index, type }) => [index, type])).toEqual([
    [1, "warning"],
    [2, "hosts-finished"],
    [3, "finished"],
  ]);
  expect(record.state().status).toBe("infra-failed");
});

test("a build that says too much says so once, and still tells its end", async () => {
  const stored: BuildEvent[] = [];
  const record = createBuildRecord({
    initial: scriptBuild().accepted(["web01"]).state,
    epoch: 1,
    writer: { append: async (event) => void stored.push(event) },
    clock: createFakeClock(),
    onStored: () => undefined,
  });
  for (let n = 0; n < 100; n++) record.emit({ type: "warning", message: `${n} ${"x".repeat(8000)}` });
  record.emit({ type: "finished", verdict: "succeeded", durationMs: 1 });
  await record.run(new AbortController().signal);
  const notices = stored.filter(
    (event) => event.type === "warning" && event.message.includes("see the logs for the rest"),
  );
  expect(notices).toHaveLength(1);
  expect(stored.length).toBeLessThan(30);
  expect(stored.at(-1)).toMatchObject({ type: "finished", verdict: "succeeded" });
});
