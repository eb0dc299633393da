import { expect, test } from "vitest";
import { judgeNatsCopies, type StreamCopies } from "./check-nats-copies.ts";

const whole: StreamCopies = { stream: "BUILD_EVENTS", copies: 3, away: [], behind: [] };
const logs: StreamCopies = { ...whole, stream: "BUILD_LOGS" };

test.each<[string, readonly StreamCopies[], string, string]>([
  ["all there", [whole, logs], "ok", "3 servers have each stream"],
  ["no streams", [], "warning", "none of the streams is there"],
  ["one copy of each", [{ ...whole, copies: 1 }], "warning", "only one server has the streams"],
  ["one copy of one", [whole, { ...logs, copies: 1 }], "warning", "only one server has BUILD_LOGS"],
  ["a server that is away", [whole, { ...logs, away: ["n2"] }], "warning", "n2 does not answer"],
  ["a server that stores nothing", [{ ...whole, behind: ["n3"] }, logs], "warning", "n3 lacks what"],
])("%s", (_, streams, state, says) => {
  const finding = judgeNatsCopies(streams);
  expect(finding.state).toBe(state);
  expect(finding.message).toContain(says);
});
