import { expect, test } from "vitest";
import { parseCommit } from "../protocol/names.ts";
import { isOurCommit, updateMessage } from "./commit-message.ts";

test("our commits are bounded and known again, and an input's name cannot speak to a forge", () => {
  const inputs = Array.from({ length: 40 }, (_, i) => `input-${i}`);
  const message = updateMessage({
    base: parseCommit("a".repeat(40)),
    inputs: [...inputs, "[skip ci] @all #1"],
    details: ["a: 1 → 2\n#5 closes"],
  });
  expect(message.split("\n")[0]?.length).toBeLessThanOrEqual(72);
  expect(message).not.toMatch(/[@#[\]]/);
  expect(isOurCommit({ message, authorEmail: "bot@x" }, "bot@x")).toBe(true);
  expect(isOurCommit({ message, authorEmail: "kai@x" }, "bot@x")).toBe(false);
  expect(isOurCommit({ message: "flake.lock: update", authorEmail: "bot@x" }, "bot@x")).toBe(false);
});
