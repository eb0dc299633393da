import { expect, test } from "vitest";
import { aBuildId, accepted, aChunk, anEvent, finished } from "../../support/builds.ts";
import { judgeCommand, judgeLogs } from "./judge-command.ts";

const id = aBuildId();
const end = anEvent(id, 1, finished);
const stored = [anEvent(id, 0, accepted), end];
const run = { host: "web1", exitCode: 0, printed: stored, stderr: "", seconds: 1 };
const hello = { derivation: "hello", lines: 3 };
const lines = (...numbers: readonly number[]): string =>
  numbers.map((number) => `log line ${number} of hello\n`).join("");

test("a command that says what the event log says, and exits as it must, has no fault", () => {
  expect(judgeCommand(run, 0, stored)).toEqual([]);
});

test.each([
  ["another exit code", { ...run, exitCode: 3, stderr: "error: nobody is there\n" }, /exits with 3.*nobody/],
  ["an event that is left out", { ...run, printed: stored.slice(1) }, /printed: finished; and the log has/],
  ["an event that is printed twice", { ...run, printed: [...stored, end] }, /finished finished/],
])("%s is wrong", (_, other, what) => {
  expect(judgeCommand(other, 0, stored)).toContainEqual({
    kind: "wrong",
    build: id,
    what: expect.stringMatching(what),
  });
});

test("two verdicts of one command are one too many", () => {
  const twice = [...stored, anEvent(id, 2, finished)];
  expect(judgeCommand({ ...run, printed: twice }, 0, twice)).toMatchObject([{ kind: "duplicated" }]);
});

test("a log is whole when each line is there once, over however many chunks", () => {
  const chunks = [aChunk(id, 1, 1, lines(2)), aChunk(id, 1, 0, lines(0, 1))];
  expect(judgeLogs(id, [hello], chunks)).toEqual([]);
});

test.each([
  ["missing", "lost", [aChunk(id, 1, 0, lines(0, 2))], "of 3 lines of hello, 2 are stored: 0 to 0, 2 to 2"],
  ["there twice", "duplicated", [aChunk(id, 1, 0, lines(0, 1, 1, 2))], "0 to 1, 1 to 2"],
  ["of another derivation", "lost", [{ ...aChunk(id, 1, 0, lines(0, 1, 2)), drvPath: "x" }], "0 are stored"],
  ["dropped", "lost", [{ ...aChunk(id, 1, 0, lines(0, 1, 2)), dropped: 7 }], "7 lines of logs were dropped"],
])("a line that is %s is found", (_, kind, chunks, what) => {
  expect(judgeLogs(id, [hello], chunks)).toEqual([{ kind, build: id, what: expect.stringContaining(what) }]);
});
