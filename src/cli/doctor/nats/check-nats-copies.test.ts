import { expect, test } from "vitest";
import { judgeNatsCopies } from "./check-nats-copies.ts";

test.each([
  [3, [], "ok", "3 servers have the event log"],
  [1, [], "warning", "only one server has the streams"],
  [3, ["n2"], "warning", "n2 does not answer"],
] as const)("%d copies, without %j: %s", (copies, away, state, says) => {
  const finding = judgeNatsCopies(copies, away);
  expect(finding.state).toBe(state);
  expect(finding.message).toContain(says);
});
