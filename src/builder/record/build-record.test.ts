import { expect, test } from "vitest";
import type { EventBody } from "../../protocol/events.ts";
import { parseHostName, parseRepoName } from "../../protocol/names.ts";
import { takeNext } from "./build-record.ts";

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
