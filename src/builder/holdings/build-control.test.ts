import { expect, test } from "vitest";
import type { BuildEvent } from "../../protocol/events.ts";
import { parseBuildId, parseBuilderName, parseHostName, parseRepoName } from "../../protocol/names.ts";
import { decideControl } from "./build-control.ts";

const accepted: BuildEvent = {
  build: parseBuildId("01JD0000000000000000000000"),
  epoch: 1,
  index: 0,
  at: "2026-11-23T14:00:00Z",
  type: "accepted",
  builder: parseBuilderName("other"),
  priority: "batch",
  trigger: "ci",
  sources: [],
  hosts: [{ repo: parseRepoName("nixos"), host: parseHostName("a") }],
  skipped: [],
};

test("a cancel waits for the holder, ends what nobody began, and is done when the build is", () => {
  const finished: BuildEvent = {
    ...accepted,
    index: 1,
    type: "finished",
    verdict: "succeeded",
    durationMs: 1,
  };
  expect(decideControl(finished, false, 1)).toBe("done");
  expect(decideControl(undefined, false, 1)).toBe("begin-cancelled");
  expect(decideControl(undefined, true, 1)).toBe("later");
  expect(decideControl(accepted, false, 1)).toBe("later");
  expect(decideControl(accepted, true, 4)).toBe("later");
  expect(decideControl(accepted, true, 5)).toBe("end");
  expect(decideControl(accepted, false, 10_000)).toBe("done");
});
